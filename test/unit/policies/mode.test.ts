import { expect, test } from 'vitest';
import { refuse } from '../../../src/exchange/judge.ts';
import type { Policy } from '../../../src/exchange/policy.ts';
import { inMode } from '../../../src/rules/policies/mode.ts';
import { judgeBy, refusalBy } from './judging.ts';

const said = { path: '/containers/create', body: { Image: 'debian' } };

function logged() {
  const lines: object[] = [];
  return { lines, info: () => {}, warn: (facts: object) => void lines.push(facts) };
}

const strict: Policy = {
  name: 'strict',
  judge: () => {
    throw refuse('strict', 'never', 'must not be', { place: 'Image' });
  },
};

test('a policy that is only tried lets the call pass, and says what it would have refused', async () => {
  const log = logged();
  const judgement = await judgeBy(inMode('warn', strict, log), said);
  expect(judgement.call.body).toEqual({ Image: 'debian' });
  expect(judgement.decisions).toMatchObject([
    { policy: 'strict', rule: 'never', wouldRefuse: 'Image must not be', changes: [] },
  ]);
  expect(log.lines).toMatchObject([{ user: 'alice', policy: 'strict', rule: 'never', reason: 'Image must not be' }]);
  expect((await refusalBy(inMode('enforce', strict, log), said)).rule).toBe('never');
});

test('a policy that is only tried changes nothing, and is told how the call ended', async () => {
  const ended: number[] = [];
  const changing: Policy = {
    name: 'changing',
    judge: (call) => ({
      call: { ...call, body: { Image: 'evil' } },
      rule: 'r',
      changes: [{ rule: 'r', place: 'Image', from: 'debian', to: 'evil', warning: 'changed', given: null }],
      labels: { 'berthgate.claim': 'a' },
      onEnd: (status) => void ended.push(status),
    }),
  };
  const judgement = await judgeBy(inMode('warn', changing, logged()), said);
  expect(judgement.call.body).toEqual({ Image: 'debian' });
  expect(judgement.decisions).toMatchObject([{ changes: [], labels: { 'berthgate.claim': 'a' } }]);
  judgement.ended(201);
  expect(ended).toEqual([201]);
});

test('a policy that fails while it is only tried would have refused', async () => {
  const broken: Policy = {
    name: 'broken',
    judge: () => {
      throw new TypeError('oops');
    },
  };
  const { decisions } = await judgeBy(inMode('warn', broken, logged()), said);
  expect(decisions).toMatchObject([{ rule: 'failed', wouldRefuse: 'the policy itself failed' }]);
  expect((await refusalBy(inMode('enforce', broken, logged()), said)).rule).toBe('failed');
});
