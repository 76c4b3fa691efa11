/** Filters of lists: the namespace's own label beside the client's, and patterns of names as the engine's names are. */

import type { FilterValues } from '../../docker/query.ts';
import { DEFAULT_NETWORK_LABEL } from '../../docker/reserved-labels.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import { Refusal } from '../../ground/refusal.ts';
import { labelled } from './ownership.ts';
import { RULE } from './references.ts';

const LISTS: ReadonlySet<string> = new Set(['ContainerList', 'NetworkList', 'NetworkListSlash', 'VolumeList']);
const PRUNES: ReadonlySet<string> = new Set(['ContainerPrune', 'NetworkPrune', 'VolumePrune']);

/** The call, of the namespace's things alone. */
export function withOwnFilters(call: Call, namespace: string): Call {
  const { id } = call.endpoint;
  const prunes = PRUNES.has(id);
  if (!prunes && !LISTS.has(id)) return call;
  const said = (call.query.filters ?? {}) as FilterValues;
  const filters: Record<string, readonly string[]> = Object.assign(Object.create(null), said);
  // Labels of one filter must all be there, so the client's own only narrow it.
  filters.label = [...(said.label ?? []), labelled(namespace)];
  // The default network goes when nothing refers to it; dockerd never prunes its own.
  if (id === 'NetworkPrune') filters['label!'] = [DEFAULT_NETWORK_LABEL];
  // moby leaves out what has all of these labels, so ours beside another one would protect nothing.
  if (id === 'NetworkPrune' && (said['label!'] ?? []).length > 0) {
    throw refuse(RULE, 'label-filter', 'is not there for networks of a namespace', {
      place: 'query.filters["label!"]',
    });
  }
  if (said.name !== undefined) filters.name = said.name.map((pattern) => enginePattern(pattern, namespace));
  return { ...call, query: { ...call.query, filters } };
}

/**
 * A pattern that finds in `ns.name` what the client's finds in `name`. The engine matches it, in linear time. Where `^`
 * stands not only at the beginning there is no such pattern.
 */
export function enginePattern(pattern: string, namespace: string): string {
  // Go reads flags such as (?m), and names such as \A for the beginning: none of them is ever needed for a name.
  if (/\\[^.\-_/\\dwsDWSb]|\(\?[^:]/.test(pattern)) throw tooMuch(pattern);
  const anchored = pattern.startsWith('^');
  const rest = anchored ? pattern.slice(1) : pattern;
  if (/(^|[^[\\])\^/.test(rest) || (anchored && hasAlternatives(rest)) || !isBalanced(rest)) throw tooMuch(pattern);
  // Containers are matched with the slash too; `^/web$` is what careful clients write.
  if (anchored) return `^/?${namespace}\\.${rest.replace(/^\/\??/, '')}`;
  const inner = rest.replace(/^\/\??/, '');
  return inner === rest ? `^/?${namespace}\\..*(?:${rest})` : `^/?${namespace}\\.(?:${inner})`;
}

function hasAlternatives(pattern: string): boolean {
  let depth = 0;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === '\\') i++;
    else if (char === '(') depth++;
    else if (char === ')') depth--;
    else if (char === '|' && depth === 0) return true;
  }
  return false;
}

/** Whether the pattern closes what it opens, and nothing else: it could not leave the group that it is put into. */
function isBalanced(pattern: string): boolean {
  let depth = 0;
  let inClass = false;
  for (let i = 0; i < pattern.length; i++) {
    const char = pattern[i];
    if (char === '\\') {
      i++;
      if (i >= pattern.length) return false;
    } else if (inClass) inClass = char !== ']';
    else if (char === '[') {
      inClass = true;
      // A bracket right behind the opening one stands for itself.
      if (pattern[i + 1] === '^') i++;
      if (pattern[i + 1] === ']') i++;
    } else if (char === '(') depth++;
    else if (char === ')' && --depth < 0) return false;
  }
  return depth === 0 && !inClass;
}

function tooMuch(pattern: string): Refusal {
  return new Refusal('unreadable-query', `${JSON.stringify(pattern)} is more than a namespace can look for`, {
    place: 'query.filters.name',
    hint: 'a name, a part of one, or ^NAME$',
  });
}
