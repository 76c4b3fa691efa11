/** The parts that the API falls into by the first word of its paths, as socket proxies name them: `containers`, `_ping`. */

import type { Endpoint } from './endpoint.ts';

export function sectionOf({ path }: Endpoint): string {
  return path.split('/')[1] ?? '';
}

/** What is done to one container, by the last word of the path: `start`, `kill`, `archive`; null elsewhere. */
export function containerActionOf({ path }: Endpoint): string | null {
  return /^\/containers\/\{id\}\/([a-z]+)/.exec(path)?.[1] ?? null;
}
