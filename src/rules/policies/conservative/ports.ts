/** Published ports: at one address of the host, within a range, and never one of Berthgate's own. */

import type { Mark } from '../../../docker/marks.ts';
import {
  publishAt,
  publishEach,
  publishesAll,
  publishingPaths,
  readHostPorts,
} from '../../../docker/published-ports.ts';
import type { Leaf } from '../../../docker/visit.ts';
import type { Call } from '../../../exchange/call.ts';
import type { Change, PolicyContext, PolicyCreation } from '../../../exchange/policy.ts';
import { isObject, placeOf } from '../../../ground/json.ts';
import { valueAt } from '../../../ground/json-path.ts';
import type { Changed } from './changed.ts';
import type { Finding } from './finding.ts';
import type { Options } from './options.ts';

export interface PortsOptions {
  /** Null where the namespace finds one for each container. */
  readonly address: string | null;
  readonly range: { readonly first: number; readonly last: number };
  readonly ownPorts: readonly number[];
}

const RULE = 'published-ports';
const DEFAULTS = { address: '127.0.0.1', range: { first: 1024, last: 65_535 } };

/** In a namespace the listener says where ports go, and the policy may only narrow what is asked for. @throws Error */
export function placeOfPorts(
  { address, range }: Options['ports'],
  namespaced: PolicyCreation['namespaced'],
): Omit<PortsOptions, 'ownPorts'> {
  const listener = namespaced?.ports ?? null;
  if (address !== undefined && listener !== null && address !== listener.address) {
    throw new Error(`ports.address: in a namespace ports go to ${listener.address}, as \`ports\` of the listener says`);
  }
  return {
    address: listener?.address === 'gateway' ? null : (listener?.address ?? address ?? DEFAULTS.address),
    range: range ?? listener?.range ?? DEFAULTS.range,
  };
}

export class Ports {
  private readonly options: PortsOptions;

  constructor(options: PortsOptions) {
    this.options = options;
  }

  /** With every exposed port named, where all are to be published: only so they can have an address. */
  async name(call: Call, context: PolicyContext): Promise<Changed> {
    const { body } = call;
    const image = isObject(body) ? publishesAll(body) : null;
    if (!isObject(body) || image === null) return { call, changes: [] };
    const named = publishEach(body, await context.lookUp('ImageInspect', { name: image }));
    const changes = publishingPaths.map(
      (path): Change => ({
        rule: RULE,
        place: placeOf(path),
        from: valueAt(body, path),
        to: valueAt(named, path),
        warning: null,
        given: path,
      }),
    );
    return { call: { ...call, body: named }, changes };
  }

  /** With every published port at the address. */
  bind(call: Call): Changed {
    const { body } = call;
    if (!isObject(body)) return { call, changes: [] };
    const { address } = this.options;
    if (address === null) return { call, changes: [] };
    const { body: bound, moved } = publishAt(body, address);
    const changes = moved.map(({ path, from }, index): Change => {
      const warning = index === 0 ? `published ports are at ${address} of the engine's host` : null;
      return { rule: RULE, place: placeOf(path), from, to: address, warning, given: path };
    });
    return { call: moved.length === 0 ? call : { ...call, body: bound }, changes };
  }

  objectionTo(mark: Mark, { value, place }: Leaf): Finding | null {
    if (mark.mark !== 'publishes') return null;
    const { address, range, ownPorts } = this.options;
    switch (mark.what) {
      case 'ports':
        return null;
      case 'address':
        return address === null || value === address
          ? null
          : finding(place, `must be ${address}`, 'other addresses of the host are not open');
      case 'port': {
        const ports = readHostPorts(String(value));
        if (ports === null) return null;
        const within = ports !== undefined && ports.first >= range.first && ports.last <= range.last;
        if (!within)
          return finding(place, `must be a port from ${range.first} to ${range.last}`, 'or 0 for any free one');
        const taken = ownPorts.find((own) => own >= ports.first && own <= ports.last);
        return taken === undefined ? null : finding(place, `must not be ${taken}`, 'Berthgate has it for itself');
      }
      default:
        return finding(place, 'must be false', 'publish the ports by their numbers');
    }
  }
}

function finding(place: string, message: string, hint: string): Finding {
  return { rule: RULE, place, message, hint };
}
