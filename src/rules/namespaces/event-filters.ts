/** Events: those of the namespace's own things, by the client's filters as they are meant for its own names. */

import { noticeOf } from '../../docker/noticed-events.ts';
import type { FilterValues } from '../../docker/query.ts';
import type { Call } from '../../exchange/call.ts';
import type { Json } from '../../ground/json.ts';
import { clientName } from './names.ts';
import { ownerOf } from './ownership.ts';

/** Filters that name nothing: the engine evaluates them as they are. */
const PASSED: ReadonlySet<string> = new Set(['event', 'label', 'type', 'scope', 'image']);
const NAMING: readonly string[] = ['container', 'network', 'volume'];

export interface OwnEvents {
  /** As the engine is asked. */
  readonly call: Call;
  /** Whether the client is to see it. */
  readonly shows: (event: Json) => boolean;
}

export function ownEvents(call: Call, namespace: string): OwnEvents {
  const said = (call.query.filters ?? {}) as FilterValues;
  const passed: Record<string, readonly string[]> = Object.create(null);
  const wanted: Record<string, readonly string[]> = Object.create(null);
  for (const [key, values] of Object.entries(said)) {
    if (PASSED.has(key)) passed[key] = values;
    else wanted[key] = values;
  }
  return {
    call: { ...call, query: { ...call.query, filters: passed } },
    shows: (event) => isOwn(event, namespace, wanted),
  };
}

function isOwn(event: Json, namespace: string, wanted: Readonly<Record<string, readonly string[]>>): boolean {
  const notice = noticeOf(event);
  if (notice === null) return false;
  const { kind, id, name, labels } = notice;
  const own = kind === 'container' ? ownerOf({ name, labels }) === namespace : clientName(namespace, name) !== null;
  if (!own) return false;
  const shown = clientName(namespace, name) ?? name;
  return Object.entries(wanted).every(([key, values]) => {
    if (values.length === 0) return true;
    // A filter for another kind of thing lets none of these pass.
    if (!NAMING.includes(key)) return false;
    if (key !== kind) return false;
    // As moby's FuzzyMatch: by the beginning of the id or of the name.
    return values.some(
      (value) => (kind !== 'volume' && id.startsWith(value)) || shown.startsWith(value.replace(/^\//, '')),
    );
  });
}
