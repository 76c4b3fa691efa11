/** Every name in a call: found first, resolved all at once, and then put in place as the engine is to read it. */

import { isPredefined, lenders } from '../../docker/lends.ts';
import type { Kind, Mark } from '../../docker/marks.ts';
import type { NamedKind } from '../../docker/named-things.ts';
import type { Leaf } from '../../docker/visit.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import { engineName } from '../../exchange/namespacing.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { Found } from './directory.ts';
import { DEFAULT_NETWORK, isClientName } from './names.ts';

export const RULE = 'namespaces';

/** A name that a call says, with what it is to be. */
export interface Reference {
  readonly kind: NamedKind | 'exec';
  /** As the client says it, without the slash that dockerd takes off. */
  readonly text: string;
  /** Made first where it is not there. */
  readonly made: boolean;
  /** In a filter, where dockerd finds nothing instead of refusing. */
  readonly filter: boolean;
}

export type Resolved = ReadonlyMap<string, Found>;

const NAMED: ReadonlySet<string> = new Set(['container', 'network', 'volume', 'exec']);
/** Images are everybody's for now; a checkpoint is one of its container, and no endpoint of theirs is served. */
const EVERYBODYS: ReadonlySet<string> = new Set(['image', 'checkpoint']);

export function keyOf(kind: string, text: string): string {
  return `${kind} ${text}`;
}

/** What the call refers to. @throws Refusal for what no namespace has */
export function referencesIn(call: Call): readonly Reference[] {
  const found = new Map<string, Reference>();
  visitCall(call, (leaf) => {
    const reference = referenceAt(leaf);
    if (reference !== null) {
      const key = keyOf(reference.kind, reference.text);
      const before = found.get(key);
      // What must be there somewhere must be there.
      found.set(key, before === undefined ? reference : { ...reference, filter: before.filter && reference.filter });
    }
    return leaf.value;
  });
  return [...found.values()];
}

function referenceAt(leaf: Leaf): Reference | null {
  const { marks, value, place } = leaf;
  if (typeof value !== 'string' || value === '') return null;
  refuseHost(leaf);
  const used = marks.find((mark) => mark.mark === 'uses');
  if (used === undefined || EVERYBODYS.has(used.kind)) return null;
  if (leaf.unread === true) throw unreadable(leaf);
  if (!NAMED.has(used.kind)) throw refuse(RULE, 'kind', `must not name a ${used.kind}`, { place });
  const kind = used.kind as Reference['kind'];
  const filter = place.startsWith('query.filters.');
  if (used.spelling === 'pattern') return null;
  if (kind === 'network' && value === 'none' && !place.startsWith('path.')) return null;
  const text = spoken(kind, value);
  return { kind, text, made: marks.some(({ mark }) => mark === 'makes'), filter };
}

/** dockerd takes one slash off the names of containers; the default network has two names. */
function spoken(kind: Reference['kind'], value: string): string {
  if (kind === 'container') return value.replace(/^\//, '');
  return kind === 'network' && value === 'default' ? DEFAULT_NETWORK : value;
}

function refuseHost({ marks, value, place, shape }: Leaf): void {
  const reaches = (reach: string): boolean => marks.some((mark) => mark.mark === 'privilege' && mark.reach === reach);
  const ofHost = value === 'host' && (reaches('host-namespace') || marks.some(isNetwork));
  const joinsNobody = reaches('join-namespace') && !marks.some(({ mark }) => mark === 'uses');
  if (shape.kind === 'text' && (ofHost || joinsNobody)) {
    throw refuse(RULE, 'host', `must not be ${JSON.stringify(value)}`, {
      place,
      hint: 'in a namespace nothing of the host is shared',
    });
  }
}

function isNetwork(mark: Mark): boolean {
  return mark.mark === 'uses' && mark.kind === 'network' && mark.spelling === 'any';
}

function unreadable({ place, value, shape }: Leaf): Refusal {
  const form = shape.kind === 'text' ? shape.grammar?.form : undefined;
  return new Refusal(
    place.startsWith('query') ? 'unreadable-query' : 'unreadable-body',
    `${JSON.stringify(value)} is not understood`,
    { place, ...(form === undefined ? {} : { hint: `write ${form}` }) },
  );
}

/** dockerd's own words for what begins several ids. */
export function ambiguous(kind: NamedKind, text: string, matches: number): Refusal {
  return new Refusal('ambiguous', lenders[kind]?.ambiguous?.(text, matches) ?? `${text} is ambiguous`);
}

/** The call as the engine is to read it. */
export function withEngineNames(call: Call, namespace: string, resolved: Resolved): Call {
  return visitCall(call, (leaf) => {
    const { value, marks } = leaf;
    if (typeof value !== 'string' || value === '') return value;
    const used = marks.find((mark) => mark.mark === 'uses');
    if (used !== undefined)
      return used.spelling === 'pattern' ? value : engineSpelling(leaf, used.kind, namespace, resolved);
    const made = marks.find((mark) => mark.mark === 'makes');
    return made === undefined || !NAMED.has(made.kind) ? value : newName(leaf, made.kind, namespace);
  });
}

function engineSpelling({ value, shape, place }: Leaf, kind: Kind, namespace: string, resolved: Resolved): string {
  const said = value as string;
  if (!NAMED.has(kind) || kind === 'exec') return said;
  if (kind === 'network' && said === 'none') return said;
  const text = spoken(kind as Reference['kind'], said);
  const found = resolved.get(keyOf(kind, text));
  // A filter by what is not there finds nothing; a volume that is to be made has its name already.
  if (found === undefined) return engineName(namespace, text);
  // An engine knows the networks of a container that never ran by their names alone.
  if (kind === 'volume' || (kind === 'network' && place.startsWith('query.filters.'))) return found.name;
  // The embedded DNS knows the container by its name; an id would resolve to nothing.
  const linked = shape.kind === 'text' && shape.grammar?.name === 'link';
  return linked ? found.name : found.id;
}

function newName({ value, place }: Leaf, kind: Kind, namespace: string): string {
  const name = kind === 'container' ? String(value).replace(/^\//, '') : String(value);
  if (kind === 'network' && (isPredefined('network', name) || name === 'host')) {
    throw refuse(RULE, 'predefined', `operation is not permitted on predefined ${name} network`, { place });
  }
  if (!isClientName(kind as NamedKind, name)) {
    throw new Refusal(
      place.startsWith('query') ? 'unreadable-query' : 'unreadable-body',
      `Invalid ${kind} name (${name}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`,
      { place },
    );
  }
  return engineName(namespace, name);
}
