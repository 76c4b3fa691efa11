/** What the schema objects to, as faults with a position and in our words. */

import type { z } from 'zod';
import { ConfigFault, type Path, placeOf } from './faults.ts';
import { mustBe } from './schema/field.ts';
import { knownKeysAt } from './schema-walk.ts';
import { didYouMean } from './suggest.ts';
import type { YamlSource } from './yaml-source.ts';

type Issue = z.core.$ZodIssue;

const wordsForTypes: Readonly<Record<string, string>> = {
  object: 'a map',
  record: 'a map',
  array: 'a list',
  string: 'text',
  boolean: 'true or false',
  number: 'a number',
  int: 'a whole number',
};

/** The `error` of a parse: words for what a schema does not say itself. */
export function wordsForIssue(issue: z.core.$ZodRawIssue): string | undefined {
  if (issue.code !== 'invalid_type') return undefined;
  return mustBe(wordsForTypes[issue.expected] ?? issue.expected, issue.input);
}

export interface Faulty {
  readonly file: string;
  readonly schema: z.ZodType;
  readonly source: Pick<YamlSource, 'locate' | 'locateKey'>;
  /** What was read with the schema, and where it stands in the source. */
  readonly value: unknown;
  readonly place?: Path;
}

export function faultsOf(
  issues: readonly Issue[],
  { file, schema, source, value, place = [] }: Faulty,
): readonly ConfigFault[] {
  const faults: ConfigFault[] = [];
  const take = (issue: Issue, above: Path): void => {
    const path = [...above, ...(issue.path as Path)];
    const full = [...place, ...path];
    if (issue.code === 'unrecognized_keys') {
      const known = knownKeysAt(schema, value, path);
      for (const key of issue.keys) {
        const here = [...full, key];
        const message = `unknown key \`${key}\`${didYouMean(key, known)}`;
        faults.push(new ConfigFault(file, source.locateKey(here), placeOf(here), message));
      }
      return;
    }
    if (issue.code === 'invalid_union') {
      // The alternative that it was meant for is the one that its type fits.
      const meant = issue.errors.find(
        (inner) => !inner.some(({ code, path: [step] }) => code === 'invalid_type' && step === undefined),
      );
      if (meant !== undefined && meant.length > 0) {
        for (const inner of meant) take(inner, path);
        return;
      }
    }
    faults.push(new ConfigFault(file, source.locate(full), placeOf(full), issue.message));
  };
  for (const issue of issues) take(issue, []);
  return faults;
}

/** In the order of the file. */
export function inOrder(faults: readonly ConfigFault[]): readonly ConfigFault[] {
  return faults.toSorted((a, b) => a.line - b.line || a.column - b.column);
}
