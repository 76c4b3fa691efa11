/** Loads an ES module that a configuration names as an authenticator or a policy, and checks what it is. */

import { stat } from 'node:fs/promises';
import { pathToFileURL } from 'node:url';
import { z } from 'zod';
import type { AuthenticatorKind } from '../../exchange/authenticator.ts';
import type { PolicyKind } from '../../exchange/policy.ts';
import { timeout } from '../../operate/config/schema/quantities.ts';
import { guardAuthenticator } from './guard-authenticator.ts';
import { guardPolicy } from './guard-policy.ts';
import type { AuthenticatorPlugin, OptionsReader, PolicyPlugin, ReadOptions } from './plugin.ts';

const description = z.strictObject({
  kind: z.enum(['authenticator', 'policy']),
  name: z.string().regex(/^[a-z][a-z0-9-]{0,63}$/, 'must be lower-case letters, digits and hyphens'),
  options: z.custom<OptionsReader<unknown>>(isOptionsReader, 'must be a function, or have a function `parse`'),
  create: z.custom<(...args: unknown[]) => unknown>((value) => typeof value === 'function', 'must be a function'),
});

/** @throws Error whose message says what is wrong with the module */
export async function loadPolicyPlugin(path: string): Promise<PolicyKind> {
  const plugin = (await load(path, 'policy')) as PolicyPlugin;
  return {
    name: plugin.name,
    options: schemaOf(plugin.options),
    create: (read, creation) => guardPolicy(plugin, creation, read as ReadOptions),
  };
}

/** @throws Error whose message says what is wrong with the module */
export async function loadAuthenticatorPlugin(path: string): Promise<AuthenticatorKind> {
  const plugin = (await load(path, 'authenticator')) as AuthenticatorPlugin;
  return {
    name: plugin.name,
    options: schemaOf(plugin.options),
    create: (read, context) => guardAuthenticator(plugin, context, read as ReadOptions),
  };
}

async function load(path: string, wanted: 'authenticator' | 'policy'): Promise<unknown> {
  let loaded: { readonly default?: unknown };
  try {
    // A module is read once in the life of a process: the time makes one that has changed another one.
    const { mtimeMs } = await stat(path);
    loaded = await import(`${pathToFileURL(path).href}?changed=${mtimeMs}`);
  } catch (fault) {
    throw new Error(`the module cannot be loaded: ${messageOf(fault)}`, { cause: fault });
  }
  const read = description.safeParse(loaded.default);
  if (!read.success) {
    const [first] = read.error.issues;
    const place = first?.path.join('.') ?? '';
    throw new Error(`the default export is no plugin: ${place === '' ? '' : `${place}: `}${first?.message}`);
  }
  if (read.data.kind !== wanted) throw new Error(`the module is ${named(read.data.kind)}, not ${named(wanted)}`);
  return loaded.default;
}

function isOptionsReader(value: unknown): boolean {
  if (typeof value === 'function') return true;
  return typeof value === 'object' && value !== null && typeof (value as { parse?: unknown }).parse === 'function';
}

/** Ours among the options of a plugin: how long one of its answers may take. */
const ours = z.looseObject({ deadline: timeout().prefault('5s') });

/** One schema for both ways of reading options; what they throw becomes faults with their places. */
function schemaOf(reader: OptionsReader<unknown>): z.ZodType {
  return ours.transform(({ deadline, ...rest }, ctx): ReadOptions => {
    try {
      const options = typeof reader === 'function' ? reader(rest) : reader.parse(rest);
      if (options instanceof Promise) throw new Error('the options are read in one go, without a promise');
      return { options, deadlineMs: deadline };
    } catch (fault) {
      for (const { path, message } of issuesOf(fault)) ctx.addIssue({ code: 'custom', path: [...path], message });
      return z.NEVER;
    }
  });
}

interface Issue {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/** Zod, valibot and others tell several issues with their paths. */
function issuesOf(fault: unknown): readonly Issue[] {
  const issues = (fault as { readonly issues?: unknown } | null)?.issues;
  const located = Array.isArray(issues) ? issues.filter(isIssue) : [];
  return located.length > 0 ? located : [{ path: [], message: messageOf(fault) }];
}

function isIssue(value: unknown): value is Issue {
  const { path, message } = (value ?? {}) as { readonly path?: unknown; readonly message?: unknown };
  if (!Array.isArray(path) || typeof message !== 'string') return false;
  return path.every((step) => typeof step === 'string' || typeof step === 'number');
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}

function named(kind: 'authenticator' | 'policy'): string {
  return kind === 'policy' ? 'a policy' : 'an authenticator';
}
