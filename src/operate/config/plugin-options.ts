/** The options of one entry of `auth` or `policies`, read by the schema of what it names, in the words of the whole file. */

import type { z } from 'zod';
import type { ConfigFault, Path } from './faults.ts';
import type { LoadedConfig } from './loaded.ts';
import { faultsOf, wordsForIssue } from './schema-faults.ts';

export type ReadOptions<T> =
  | { readonly options: T; readonly faults?: undefined }
  | { readonly faults: readonly ConfigFault[] };

/** `place` is that of the entry: `['listeners', 0, 'auth', 1]`. */
export function readOptions<Schema extends z.ZodType>(
  { file, source }: LoadedConfig,
  place: Path,
  schema: Schema,
  options: Readonly<Record<string, unknown>>,
): ReadOptions<z.output<Schema>> {
  const read = schema.safeParse(options, { error: wordsForIssue });
  if (read.success) return { options: read.data };
  return { faults: faultsOf(read.error.issues, { file, schema, source, value: options, place }) };
}
