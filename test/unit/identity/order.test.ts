// RED-TEAM 52: nothing but a credential says who a client is.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Authenticator } from '../../../src/exchange/authenticator.ts';
import { challengesOf } from '../../../src/exchange/challenges.ts';
import { identify } from '../../../src/exchange/identify.ts';
import { Refusal } from '../../../src/ground/refusal.ts';
import { headOf, make, refusalOf, somePeer } from './rig.ts';

/** Reads `Authorization: SCHEME USER`; refuses the user `wrong`, and leaves `other` to somebody else. */
function reading(scheme: string): Authenticator {
  return {
    name: scheme,
    challenge: `${scheme} realm="berthgate"`,
    schemes: [scheme],
    identify({ headers }) {
      const [given, user] = (headers[1] ?? '').split(' ');
      if (given?.toLowerCase() !== scheme || user === 'other') return null;
      if (user === 'wrong') throw new Refusal('not-identified', 'wrong');
      return { user: user ?? '', groups: [], claims: {}, by: scheme };
    },
  };
}

const anonymous = make('anonymous', {});
const asked = async (authenticators: readonly Authenticator[], ...headers: string[]) =>
  identify(authenticators, headOf(...headers), somePeer());

test('the first that finds a credential decides', async () => {
  const order = [reading('basic'), reading('bearer'), anonymous];
  expect((await asked(order, 'Authorization', 'Bearer alice')).by).toBe('bearer');
  expect((await asked(order, 'authorization', 'BASIC bob')).by).toBe('basic');
  expect((await asked(order)).by).toBe('anonymous');
});

test('a credential that is there and is not taken never falls through', async () => {
  const order = [reading('basic'), reading('bearer'), anonymous];
  for (const value of [
    'Basic wrong',
    'Basic other',
    'Bearer other',
    'Negotiate abc',
    'Digest x',
    '',
    ' ',
    '?',
    'Ba sic x',
  ]) {
    expect([value, (await refusalOf(() => asked(order, 'Authorization', value))).status]).toEqual([value, 401]);
  }
  expect((await refusalOf(() => asked([anonymous], 'Authorization', 'Basic x'))).status).toBe(401);
});

test('two that read one scheme are both asked before the credential is nobody’s', async () => {
  const second = {
    ...reading('bearer'),
    name: 'second',
    identify: () => ({ user: 'x', groups: [], claims: {}, by: 'second' }),
  };
  expect((await asked([reading('bearer'), second, anonymous], 'Authorization', 'Bearer other')).by).toBe('second');
});

test('Authorization that stands twice is refused, however it is spelt', async () => {
  const twice = ['Authorization', 'Basic alice', 'AUTHORIZATION', 'Basic bob'];
  expect((await refusalOf(() => asked([reading('basic'), anonymous], ...twice))).status).toBe(401);
});

test('no header beside Authorization says who a client is', async () => {
  const names = [
    'X-Forwarded-User',
    'Berthgate-Identity',
    'Remote-User',
    'X-Remote-User',
    'Proxy-Authorization',
    'Cookie',
  ];
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...names), fc.string(), async (name, value) => {
      expect((await asked([reading('basic'), anonymous], name, value)).by).toBe('anonymous');
    }),
  );
});

test('no value of Authorization makes anybody but its user', async () => {
  await fc.assert(
    fc.asyncProperty(fc.string({ unit: 'binary' }), async (value) => {
      await expect(asked([reading('bearer'), anonymous], 'Authorization', `x${value}`)).rejects.toThrow(Refusal);
    }),
  );
});

test('a 401 offers each scheme once, and what was wrong before the standing offer', () => {
  const order = [
    reading('bearer'),
    { ...reading('bearer'), challenge: 'Bearer realm="other"' },
    reading('basic'),
    anonymous,
  ];
  expect(challengesOf(new Refusal('not-identified', ''), order)).toEqual([
    'bearer realm="berthgate"',
    'basic realm="berthgate"',
  ]);
  const wrong = new Refusal('not-identified', '', { challenge: 'Bearer error="invalid_token"' });
  expect(challengesOf(wrong, order)).toEqual(['Bearer error="invalid_token"', 'basic realm="berthgate"']);
});
