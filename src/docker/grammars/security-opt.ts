/** `SecurityOpt`: `key=value`, `key:value` (where there is no `=`), or a bare word; the last one of a kind wins. */

import { own, privilege } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const confinement = privilege(
  'confinement',
  'changes what confines the container: seccomp, AppArmor, SELinux, cgroups',
);

/** What Go's strconv.ParseBool takes for true. */
const truths = new Set(['1', 't', 'T', 'TRUE', 'true', 'True']);

export const securityOption: Grammar = {
  name: 'security-opt',
  form: 'no-new-privileges[=true] | KEY=VALUE | KEY:VALUE | disable | writable-cgroups',
  marks: [own, confinement],
  dangerous: [
    'seccomp=unconfined',
    'seccomp:unconfined',
    'seccomp={"defaultAction":"SCMP_ACT_ALLOW"}',
    'apparmor=unconfined',
    'apparmor:unconfined',
    'label=disable',
    'label:disable',
    'label=type:spc_t',
    'systempaths=unconfined',
    'no-new-privileges=false',
    'no-new-privileges:false',
    'disable',
    'writable-cgroups',
    'writable-cgroups=true',
    'credentialspec=file://x',
    'SECCOMP=unconfined',
  ],
  split(text): readonly Part[] | null {
    if (text === 'no-new-privileges') return [{ text, marks: [own] }];
    const cut = text.indexOf(text.includes('=') ? '=' : ':');
    if (cut < 0) return [{ text, marks: [confinement] }];
    const parts = [text.slice(0, cut), text.slice(cut, cut + 1), text.slice(cut + 1)] as const;
    // Only this way round takes something away; `no-new-privileges=false` undoes one that stood before it.
    const confines = parts[0] === 'no-new-privileges' && truths.has(parts[2]);
    return [{ text, marks: [confines ? own : confinement] }];
  },
};
