/** The ports of the host that a configuration takes for Berthgate itself. */

import type { Config } from '../../operate/config/index.ts';

/** Wherever a port stands in an address of ours; engines are others'. */
export function ownPortsOf({ engines, ...own }: Config): readonly number[] {
  const ports = new Set<number>();
  collect(own, ports);
  for (const { gateway } of engines) collect(gateway, ports);
  return [...ports].sort((a, b) => a - b);
}

function collect(value: unknown, ports: Set<number>): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) {
    if (key === 'port' && typeof inner === 'number' && inner > 0) ports.add(inner);
    else collect(inner, ports);
  }
}
