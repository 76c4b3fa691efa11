/** What becomes of a build that takes longer than its listener lets it. */

import { buildFaultLine } from '../docker/carried-build.ts';
import { printJson } from '../ground/json.ts';
import type { Refusal } from '../ground/refusal.ts';
import { spelled } from './answer-refusal.ts';
import { refuse } from './judge.ts';
import type { Deadline } from './relay-lines.ts';

const SECOND_MS = 1000;

export function overlongBuild(ms: number): Refusal {
  return refuse(
    'builds',
    'time',
    `the build has taken longer than ${ms / SECOND_MS} s`,
    {
      hint: 'an administrator sets builds.maxTime',
    },
    'over-limit',
  );
}

export function buildDeadline(ms: number): Deadline {
  const fault = overlongBuild(ms);
  return { ms, fault, lastLine: Buffer.from(`${printJson(buildFaultLine(spelled(fault, null)))}\n`) };
}
