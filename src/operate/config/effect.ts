/** Which settings of a file do nothing yet, and which of them forbid to start: read from the flags in the schema. */

import { type Path, placeOf } from './faults.ts';
import type { LoadedConfig } from './loaded.ts';
import { configSchema } from './schema/config.ts';
import type { Implemented } from './schema/plugin-use.ts';
import { type Place, walkSchema } from './schema-walk.ts';

export interface SettingNote {
  readonly place: string;
  readonly line: number;
  readonly column: number;
  readonly what: string;
}

/** Settings of the file that are checked and then ignored, in the file's order; defaults are not mentioned. */
export function withoutEffect(loaded: LoadedConfig, implemented: Implemented): readonly SettingNote[] {
  const notes: SettingNote[] = [];
  walkSchema(configSchema, loaded.source.value, (place) => {
    if (!place.given) return false;
    if (!lacksEffect(place, implemented)) return true;
    notes.push(noteAt(loaded, place.path, `${named(place)}has no effect yet`));
    return false;
  });
  notes.push(...unledCache(loaded));
  return notes.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Where it has an address of its own, something else may lead there. */
function unledCache(loaded: LoadedConfig): readonly SettingNote[] {
  const { cache, listeners } = loaded.config;
  if (cache === null || cache.hosts.length === 0 || (cache.address ?? []).length > 0) return [];
  if (listeners.some((listener) => listener.cache)) return [];
  return [noteAt(loaded, ['cache', 'hosts'], 'has no effect: no listener has `cache: true`')];
}

/** Why `serve` must not start: settings, and defaults, that promise a protection that is not there. Empty when it may. */
export function refusals(loaded: LoadedConfig, implemented: Implemented): readonly SettingNote[] {
  const notes: SettingNote[] = [];
  walkSchema(configSchema, loaded.source.value, (place) => {
    if (place.meta.effect === 'none yet' || !lacksEffect(place, implemented)) return true;
    const origin = place.given ? '' : `${JSON.stringify(valueName(place))}, the default, `;
    const subject = place.given ? named(place) : origin;
    const without = place.meta.without === undefined ? '' : ` (to go without: ${place.meta.without})`;
    notes.push(noteAt(loaded, place.path, `${subject}does not protect yet, so serve refuses to start${without}`));
    return true;
  });
  notes.push(...unchosenEngines(loaded));
  return notes.sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Without a namespace it is a fault already: nothing could ever choose. */
function unchosenEngines(loaded: LoadedConfig): readonly SettingNote[] {
  const { engines, listeners } = loaded.config;
  if (engines.length === 1) return [];
  return listeners.flatMap(({ engine, namespace }, index) => {
    if (engine !== undefined || namespace === null) return [];
    const what = `nothing chooses among ${engines.length} engines yet, so serve refuses to start (name one with \`engine\`)`;
    return [noteAt(loaded, ['listeners', index], what)];
  });
}

function noteAt(loaded: LoadedConfig, path: Path, what: string): SettingNote {
  return { place: placeOf(path), ...loaded.locate(path), what };
}

function lacksEffect(place: Place, implemented: Implemented): boolean {
  const { meta, value, path } = place;
  if (meta.effect === undefined || asksForNothing(place)) return false;
  if (meta.effect !== 'by its name') return true;
  const name = useOf(value);
  return name === undefined || !(path.includes('auth') ? implemented.auth : implemented.policies).includes(name);
}

function asksForNothing({ value, byDefault, meta }: Place): boolean {
  if (value === null || value === false) return true;
  if (Array.isArray(value) && value.length === 0) return true;
  const text = JSON.stringify(value);
  if (meta.beginning !== undefined && typeof value === 'string' && !value.startsWith(meta.beginning)) return true;
  // Where the default is to have none, an empty map asks for one with the defaults inside.
  if (text === '{}' && byDefault !== null) return true;
  return meta.neutral?.some((one) => JSON.stringify(one) === text) ?? false;
}

function useOf(entry: unknown): string | undefined {
  const name = typeof entry === 'object' && entry !== null ? (entry as { readonly use?: unknown }).use : entry;
  return typeof name === 'string' ? name : undefined;
}

function valueName({ meta, value }: Place): unknown {
  return meta.effect === 'by its name' ? useOf(value) : value;
}

/** The name of an authenticator or policy says more than its place. */
function named(place: Place): string {
  return place.meta.effect === 'by its name' ? `${JSON.stringify(useOf(place.value))} ` : '';
}
