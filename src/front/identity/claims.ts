/** Reading the claims of a token: as text, as lists, and against what is required of them. */

import type { JWTPayload } from 'jose';
import { compileGlob } from '../../ground/glob.ts';

/** A claim by its whole name; else along its dots, as `realm_access.roles`. Own properties only. */
export function claimOf(payload: JWTPayload, name: string): unknown {
  if (Object.hasOwn(payload, name)) return payload[name];
  let value: unknown = payload;
  for (const step of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, step)) return undefined;
    value = (value as Record<string, unknown>)[step];
  }
  return value;
}

/** Text, numbers and truth values as text; undefined for everything else. */
export function claimText(value: unknown): string | undefined {
  if (typeof value === 'string') return value;
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : undefined;
}

/** A list of texts, or one text as a list; what is no text in it is left out. */
export function claimList(value: unknown): string[] {
  const list: unknown[] = Array.isArray(value) ? value : [value];
  return list.map(claimText).filter((text) => text !== undefined);
}

/** The first claim that is not as one of its patterns says, or undefined. Of a list one value is enough. */
export type Requirements = (payload: JWTPayload) => string | undefined;

export function compileRequirements(require: Readonly<Record<string, readonly string[]>>): Requirements {
  const rules = Object.entries(require).map(([claim, patterns]) => ({
    claim,
    globs: patterns.map((pattern) => compileGlob(pattern, { separator: '/' })),
  }));
  return (payload) => {
    const broken = rules.find(({ claim, globs }) => {
      const values = claimList(claimOf(payload, claim));
      return !values.some((value) => globs.some((matches) => matches(value)));
    });
    return broken?.claim;
  };
}
