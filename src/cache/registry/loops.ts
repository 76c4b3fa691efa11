/** A registry that is reached through ourselves is known by the name that we have left on the way (RFC 9110 §7.6.3). */

import { OciError } from './oci-error.ts';
import type { Registry } from './registries.ts';

/** @param via the field of a request, as it came; absent where there was none @throws OciError */
export function refuseLoop({ host, ownName }: Registry, via: string | undefined): void {
  if (via?.split(',').some((one) => one.trim().split(/\s+/)[1] === ownName) !== true) return;
  throw new OciError(
    'LOOP',
    `the registry ${host} leads back to this very mirror: where it really is stands in its url`,
  );
}

/** What goes on with a request. */
export function viaOf({ ownName }: Registry, via: string | undefined): string {
  const own = `1.1 ${ownName}`;
  return via === undefined ? own : `${via}, ${own}`;
}
