/** Names of capabilities: any case, with or without `CAP_`. */

import { own, privilege } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

/** What every container has anyway (moby, daemon/pkg/oci/caps). */
const ofEveryContainer = new Set([
  'AUDIT_WRITE',
  'CHOWN',
  'DAC_OVERRIDE',
  'FOWNER',
  'FSETID',
  'KILL',
  'MKNOD',
  'NET_BIND_SERVICE',
  'NET_RAW',
  'SETFCAP',
  'SETGID',
  'SETPCAP',
  'SETUID',
  'SYS_CHROOT',
]);

const more = privilege('capability', 'a right that containers do not have');

export const addedCapability: Grammar = {
  name: 'capability',
  form: '[CAP_]NAME | ALL',
  marks: [own, more],
  canonical,
  dangerous: [
    'ALL',
    'all',
    'SYS_ADMIN',
    'CAP_SYS_ADMIN',
    'cap_sys_admin',
    'Sys_Module',
    'NET_ADMIN',
    'CAP_CAP_CHOWN',
    'k\u0131ll',
    ' CHOWN',
  ],
  split(text): readonly Part[] | null {
    return [{ text, marks: [ofEveryContainer.has(canonical(text)) ? own : more] }];
  },
};

/** `sys_admin` and `CAP_SYS_ADMIN` as `SYS_ADMIN`. */
function canonical(text: string): string {
  // Only ASCII: Go's and JavaScript's upper case agree there.
  return /^[A-Za-z_]+$/.test(text) ? text.toUpperCase().replace(/^CAP_/, '') : text;
}
