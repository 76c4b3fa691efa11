/** What the rest of Berthgate uses of interception. */

export { Accounts } from './accounts.ts';
export { Authority } from './authority.ts';
export { CacheFront, type FrontOptions } from './front.ts';
export type { InterceptionTally } from './interception-tally.ts';
export { PassFront } from './pass-front.ts';
export { ServedContainers } from './served-containers.ts';
export { AbsenceNotes } from './trust/absence-notes.ts';
export { ContainerTrust } from './trust/container-trust.ts';
