import { expect, test } from 'vitest';
import { sign } from '../../../src/cache/store/signature.ts';

const empty = 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855';
const signer = {
  region: 'us-east-1',
  accessKeyId: 'AKIAIOSFODNN7EXAMPLE',
  secretAccessKey: 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY',
  sessionToken: undefined,
};
const now = new Date('2013-05-24T00:00:00Z');

// The examples of https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html
test.each([
  {
    what: 'a range of an object',
    request: { method: 'GET', path: 'test.txt', headers: { range: 'bytes=0-9' }, sha256: empty },
    signature: 'f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41',
  },
  {
    what: 'an object that is put',
    request: {
      method: 'PUT',
      path: 'test%24file.text',
      headers: { date: 'Fri, 24 May 2013 00:00:00 GMT', 'x-amz-storage-class': 'REDUCED_REDUNDANCY' },
      sha256: '44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072',
    },
    signature: '98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd',
  },
  {
    what: 'a listing',
    request: { method: 'GET', path: '?max-keys=2&prefix=J', headers: {}, sha256: empty },
    signature: '34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7',
  },
])('$what is signed as in the published example', ({ request: { path, ...request }, signature }) => {
  const url = new URL(`https://examplebucket.s3.amazonaws.com/${path}`);
  const { authorization } = sign(signer, { ...request, headers: { ...request.headers }, url, now } as never);
  expect(authorization).toMatch(
    /^AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE\/20130524\/us-east-1\/s3\/aws4_request, /,
  );
  expect(authorization).toContain(`Signature=${signature}`);
});

test('the token of a session is signed too', () => {
  const url = new URL('https://examplebucket.s3.amazonaws.com/a');
  const headers = sign({ ...signer, sessionToken: 'token' }, { method: 'GET', url, headers: {}, sha256: empty, now });
  expect(headers['x-amz-security-token']).toBe('token');
  expect(headers.authorization).toContain('SignedHeaders=host;x-amz-content-sha256;x-amz-date;x-amz-security-token,');
});
