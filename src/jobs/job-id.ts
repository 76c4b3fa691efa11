/** What a job is called: the name of its temporary namespace, which no identity and no label ever leads to. */

import { randomBytes } from 'node:crypto';

const JOB = /^j-[0-9a-f]{20}$/;

export function newJobId(): string {
  return `j-${randomBytes(10).toString('hex')}`;
}

export function isJobId(text: string): boolean {
  return JOB.test(text);
}
