import { expect, test } from 'vitest';
import {
  readCredentials,
  readCredentialsByHost,
  registryHostOf,
  registryUrlOf,
} from '../../../src/docker/registry-credentials.ts';

test.for([
  [{}, null],
  [{ serveraddress: 'r.example.org' }, null],
  [
    { username: 'a', password: 'b:c' },
    { kind: 'password', username: 'a', password: 'b:c' },
  ],
  [{ auth: 'YTpiOmM=' }, { kind: 'password', username: 'a', password: 'b:c' }],
  [{ auth: '%%%' }, null],
  [
    { username: '<token>', identitytoken: 'i', password: 'p' },
    { kind: 'identity', token: 'i' },
  ],
  [
    { registrytoken: 'r', identitytoken: 'i' },
    { kind: 'bearer', token: 'r' },
  ],
  // As docker-py says them where they come from a credential helper.
  [
    { ServerAddress: 'r.example.org', Username: 'a', Password: 'b' },
    { kind: 'password', username: 'a', password: 'b' },
  ],
  [
    { ServerAddress: 'r.example.org', IdentityToken: 'i' },
    { kind: 'identity', token: 'i' },
  ],
  [
    { username: 'a', password: 'b', Password: 'c' },
    { kind: 'password', username: 'a', password: 'c' },
  ],
  [[], null],
  ['a', null],
] as const)('credentials %j are %j', ([said, expected]) => {
  expect(readCredentials(said as never)).toEqual(expected);
});

test('those of a build are found by the host of an image, whatever the client calls it', () => {
  const found = readCredentialsByHost({
    'https://index.docker.io/v1/': { username: 'a', password: 'b' },
    'r.example.org:5000': { auth: 'YzpkCg==' },
    'empty.example.org': {},
  });
  expect([...found.keys()]).toEqual(['docker.io', 'r.example.org:5000']);
  expect(found.get('docker.io')).toMatchObject({ username: 'a' });
  expect(readCredentialsByHost(undefined).size).toBe(0);
});

test('Docker Hub has several names, and answers at another host', () => {
  for (const one of ['', 'docker.io', 'index.docker.io', 'https://index.docker.io/v1/', 'registry-1.docker.io'])
    expect(registryHostOf(one)).toBe('docker.io');
  expect(registryHostOf('http://r.example.org:5000/v2/')).toBe('r.example.org:5000');
  expect(registryUrlOf('docker.io')).toBe('https://registry-1.docker.io');
  expect(registryUrlOf('r.example.org:5000')).toBe('https://r.example.org:5000');
});
