import { availableParallelism } from 'node:os';
import { defineConfig } from 'vitest/config';

// What is waited for comes at some time, also on a machine that has much else to do: a second, the default, is no verdict.
const patient = { poll: { timeout: 60_000 } };

// Two projects: `unit` needs nothing but Node; `engines` talks to the real engines that test/run.mjs has started.
export default defineConfig({
  test: {
    // Tests with engines wait more than they compute: two workers leave a quarter of two cores idle.
    maxWorkers: availableParallelism() + 1,
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/house.test.ts'],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          expect: patient,
        },
      },
      {
        test: {
          name: 'engines',
          include: [
            'test/e2e/**/*.test.ts',
            'test/attacks/**/*.test.ts',
            'test/engine/**/*.test.ts',
            'test/oracle/**/*.test.ts',
          ],
          testTimeout: 180_000,
          hookTimeout: 180_000,
          expect: patient,
        },
      },
    ],
  },
});
