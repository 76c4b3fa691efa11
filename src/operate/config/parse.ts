/** The text of a configuration to checked values that nobody can change, or to all of its faults. */

import { open } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { checkAgreement } from './agreement.ts';
import { ConfigFault, ConfigRefused, type Path, placeOf } from './faults.ts';
import type { FaultyConfig, LoadedConfig } from './loaded.ts';
import { configSchema } from './schema/config.ts';
import { authenticatorNames, type Implemented, pluginKind, policyNames, readsAsModule } from './schema/plugin-use.ts';
import { faultsOf, inOrder, wordsForIssue } from './schema-faults.ts';
import { walkSchema } from './schema-walk.ts';
import { maxConfigBytes, readYaml } from './yaml-source.ts';

const noneImplemented: Implemented = { auth: [], policies: [] };

/** `fileName` stands in messages; relative paths in the file count from its folder. `implemented` adds names to those of the contract. */
export function parseConfig(
  text: string,
  fileName: string,
  implemented: Implemented = noneImplemented,
): LoadedConfig | FaultyConfig {
  const { source, faults } = readYaml(text, fileName);
  if (faults.length > 0 && source.value === undefined) return { faults };
  resolveFiles(source.value, dirname(resolve(fileName)));

  const known: Implemented = {
    auth: [...authenticatorNames, ...implemented.auth],
    policies: [...policyNames, ...implemented.policies],
  };
  const schema = configSchema.superRefine(
    (config, ctx) => {
      checkAgreement(config, known, (path, message) => ctx.addIssue({ code: 'custom', path: [...path], message }));
    },
    // Also after other faults: people want to see all of them at once.
    { when: () => true },
  );
  const result = schema.safeParse(source.value, { error: wordsForIssue });
  const found = result.success
    ? []
    : faultsOf(result.error.issues, { file: fileName, schema: configSchema, source, value: source.value });
  if (!result.success || faults.length > 0) return { faults: inOrder([...faults, ...found]) };
  return {
    config: freeze(result.data),
    file: fileName,
    source,
    locate: (path) => source.locate(path),
    fault: (path, message) => new ConfigFault(fileName, source.locate(path), placeOf(path), message),
  };
}

/** Rejects with `ConfigRefused`, which names every fault. */
export async function loadConfig(file: string, implemented: Implemented = noneImplemented): Promise<LoadedConfig> {
  const loaded = parseConfig(await readText(file), file, implemented);
  if ('faults' in loaded) throw new ConfigRefused(loaded.faults);
  return loaded;
}

async function readText(file: string): Promise<string> {
  let bytes: Buffer;
  try {
    bytes = await readBounded(file, maxConfigBytes + 1);
  } catch (cause) {
    throw new ConfigRefused([
      faultOfFile(file, `cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`),
    ]);
  }
  // What is longer is refused by the parser, which may then have been given half a character.
  if (bytes.length > maxConfigBytes) throw new ConfigRefused([faultOfFile(file, 'the file is larger than 1MiB')]);
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ConfigRefused([faultOfFile(file, 'the file is not UTF-8')]);
  }
}

async function readBounded(file: string, most: number): Promise<Buffer> {
  const handle = await open(file, 'r');
  try {
    const buffer = Buffer.alloc(most);
    let length = 0;
    while (length < most) {
      const { bytesRead } = await handle.read(buffer, length, most - length, null);
      if (bytesRead === 0) break;
      length += bytesRead;
    }
    return buffer.subarray(0, length);
  } finally {
    await handle.close();
  }
}

function faultOfFile(file: string, message: string): ConfigFault {
  return new ConfigFault(file, { line: 1, column: 1 }, '', message);
}

/** A path means the same wherever the program is started: relative ones count from the file that says them. */
function resolveFiles(value: unknown, folder: string): void {
  const places: { readonly path: Path; readonly resolved: string }[] = [];
  walkSchema(configSchema, value, ({ meta, value: text, path, given }) => {
    if (given && typeof text === 'string' && text !== '' && isFile(meta.kind, text)) {
      places.push({ path, resolved: resolve(folder, text) });
    }
    return true;
  });
  for (const { path, resolved } of places) {
    const parent = path
      .slice(0, -1)
      .reduce<unknown>((at, step) => (at as Record<string | number, unknown>)[step], value);
    (parent as Record<string | number, unknown>)[path.at(-1) as string | number] = resolved;
  }
}

function isFile(kind: string | undefined, text: string): boolean {
  if (kind === 'file or s3 URL') return !text.includes('://');
  return kind === 'file' || (kind === pluginKind && readsAsModule(text));
}

function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}
