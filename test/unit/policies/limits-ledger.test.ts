// What is kept in memory of those whose totals are counted.

import { expect, test } from 'vitest';
import { type EngineDesk, emptyDesk } from '../../../src/exchange/engine-desk.ts';
import { Ledger, nothing } from '../../../src/rules/policies/limits/ledger.ts';

const ALICE = 'berthgate.user=alice';
const take = { amounts: { ...nothing, containers: 1 }, volumes: [], unnamedVolumes: 0 };
const jobAt = (at: number): string => `berthgate.namespace=j-${String(at).padStart(20, '0')}`;

function ledgerAt() {
  const clock = { ms: 0 };
  const desk: EngineDesk = { ...emptyDesk('engine'), ask: async () => [] };
  return { clock, ledger: new Ledger(desk, () => clock.ms) };
}

test('a job that nobody has asked about for ten minutes is not kept, with all that was promised to it', async () => {
  const { clock, ledger } = ledgerAt();
  await ledger.refresh(jobAt(1));
  ledger.pledge(jobAt(1), { ...take, volumes: [`${jobAt(1)}.data`] }).settle(201);
  clock.ms += 599_999;
  await ledger.refresh(jobAt(2));
  expect(ledger.unseen(jobAt(1))).toBe(true);
  clock.ms += 1;
  await ledger.refresh(jobAt(3));
  expect(ledger.unseen(jobAt(1))).toBe(false);
});

test('what is promised to a call that runs is kept as long as that runs', async () => {
  const { clock, ledger } = ledgerAt();
  await ledger.refresh(jobAt(1));
  const { settle } = ledger.pledge(jobAt(1), take);
  clock.ms += 3_600_000;
  await ledger.refresh(jobAt(2));
  expect(ledger.inUse(jobAt(1)).containers).toBe(1);
  settle(201);
  clock.ms += 3_600_000;
  await ledger.refresh(jobAt(3));
  expect(ledger.inUse(jobAt(1)).containers).toBe(0);
});

test("a user's volumes that no label tells are kept in mind: nobody could tell again whose they are", async () => {
  const { clock, ledger } = ledgerAt();
  await ledger.refresh(ALICE);
  ledger.sawVolumes(ALICE, ['data']);
  clock.ms += 3_600_000;
  await ledger.refresh(jobAt(1));
  expect(ledger.inUse(ALICE).volumes).toBe(1);
});
