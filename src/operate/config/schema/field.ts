/** What a field of the configuration says about itself beside its shape: its reference page, and whether it does anything. */

import { z } from 'zod';

/**
 * The one place that says what has an effect. Who makes a setting work removes the flag.
 * - `none yet`: parsed and checked; `berthgate check` notes it.
 * - `refuse until it is there`: it protects, so `serve` does not start with it: an empty promise is worse than none.
 * - `by its name`: an authenticator or policy; there when the program that reads the file knows its name.
 */
type Effect = 'none yet' | 'refuse until it is there' | 'by its name';

declare module 'zod' {
  interface GlobalMeta {
    /** What people write here, in a word or two: `duration`, `file`. */
    kind?: string;
    effect?: Effect;
    /** Values beside null, false and [] that ask for nothing. */
    neutral?: readonly unknown[];
    /** How the values begin that are meant, where the others have their effect. */
    beginning?: string;
    /** What to write to go without, for the message of a refusal. */
    without?: string;
  }
}

/** How a value is named in a message: short, on one line. */
function describeValue(value: unknown): string {
  if (value === null) return 'nothing (null)';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'object') return 'a map';
  if (typeof value === 'string') {
    return JSON.stringify(value.length > 60 ? `${value.slice(0, 60)}…` : value);
  }
  return typeof value === 'number' || typeof value === 'boolean' ? String(value) : typeof value;
}

export function mustBe(what: string, value: unknown): string {
  return value === undefined ? 'is missing' : `must be ${what}, not ${describeValue(value)}`;
}

/** An `error` for zod: `must be WHAT, not …`. */
export function expecting(what: string): (issue: { readonly input?: unknown }) => string {
  return (issue) => mustBe(what, issue.input);
}

export interface Reading {
  /** What people write here, in a word or two. */
  readonly kind: string;
  /** As it stands in a message: "a duration such as 30s". */
  readonly what: string;
  /** A regular expression for editors; the reader below decides. */
  readonly pattern?: string;
  readonly examples?: readonly string[];
}

/** Thrown nowhere, given back by a reader that can say more than "this is not it". */
export class Objection {
  readonly message: string;

  constructor(message: string) {
    this.message = message;
  }
}

function finish<T>(reading: Reading, input: unknown, value: T | Objection | undefined, ctx: z.RefinementCtx): T {
  if (value !== undefined && !(value instanceof Objection)) return value;
  const message = value instanceof Objection ? value.message : mustBe(reading.what, input);
  ctx.addIssue({ code: 'custom', input, message });
  return z.NEVER;
}

/** Text with a language of its own. The reader gives undefined for what is none, or an objection that says more. */
export function textOf<T>(reading: Reading, read: (text: string) => T | Objection | undefined) {
  const { kind, what, pattern, examples } = reading;
  const meta = {
    kind,
    ...(pattern === undefined ? {} : { pattern }),
    ...(examples ? { examples: [...examples] } : {}),
  };
  return z
    .string({ error: expecting(what) })
    .meta(meta)
    .transform((text, ctx) => finish(reading, text, read(text), ctx));
}

/** As `textOf`, for what may also be written as a plain whole number. */
export function textOrNumberOf<T>(reading: Reading, read: (input: string | number) => T | Objection | undefined) {
  const { kind, what, pattern } = reading;
  const error = expecting(what);
  const text = pattern === undefined ? z.string() : z.string().meta({ pattern });
  return z
    .union([text, z.int({ error }).min(0, { error })], { error })
    .meta({ kind })
    .transform((input, ctx) => finish(reading, input, read(input), ctx));
}

/** A whole number between two bounds. */
export function wholeNumber(least: number, most: number) {
  const error = expecting(`a whole number from ${least} to ${most}`);
  return z.int({ error }).min(least, { error }).max(most, { error }).meta({ kind: 'number' });
}

/** true or false. */
export function yesOrNo() {
  return z.boolean({ error: expecting('true or false') }).meta({ kind: 'true or false' });
}
