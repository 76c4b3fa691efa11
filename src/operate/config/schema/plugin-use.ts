/** An authenticator or a policy as a listener names it: `NAME`, or `{use: NAME, …its options}`. */

import { z } from 'zod';
import { mustBe } from './field.ts';

/** The names that the contract gives. What of them is there is said by the program that reads the file. */
export const authenticatorNames = ['peer', 'client-cert', 'basic', 'token', 'jwt', 'anonymous'] as const;
export const policyNames = ['conservative', 'limits'] as const;

/** The authenticators and policies that a program has, beside the contract's names: names, or paths of loaded modules. */
export interface Implemented {
  readonly auth: readonly string[];
  readonly policies: readonly string[];
}

export interface PluginUse {
  /** A built-in name, or the path of an ES module. */
  readonly use: string;
  /** As they stand in the file: checked by the plugin's own strict schema, which locates its faults with `LoadedConfig.fault`. */
  readonly options: Readonly<Record<string, unknown>>;
}

/** Marks entries and their names: paths of modules count from the folder of the configuration. */
export const pluginKind = 'name or module';

/** Whether this names a module of somebody else's rather than a built-in one. */
export function readsAsModule(name: string): boolean {
  return /^(\.{1,2})?\/.+\.m?js$/.test(name);
}

function named(names: readonly string[], what: string) {
  const pattern = '^([a-z][a-z0-9-]{0,63}|\\.{0,2}/.+\\.m?js)$';
  const error = (issue: { readonly input?: unknown }) => mustBe(what, issue.input);
  return z
    .string({ error })
    .refine((name) => readsAsModule(name) || /^[a-z][a-z0-9-]{0,63}$/.test(name), { error })
    .meta({ kind: pluginKind, pattern, examples: [...names, './my-plugin.js'] });
}

function pluginUse(names: readonly string[]) {
  const name = named(names, `a name, such as ${names[0]}, or the path of a module, such as ./my-plugin.js`);
  const use = name.meta({ description: 'The name of a built-in one, or the path of an ES module.' });
  const error = (issue: { readonly input?: unknown }) => mustBe('a name, or a map such as {use: NAME}', issue.input);
  return z
    .union([name, z.looseObject({ use })], { error })
    .transform((entry): PluginUse => {
      if (typeof entry === 'string') return { use: entry, options: {} };
      const { use: module, ...options } = entry;
      return { use: module, options };
    })
    .meta({ kind: pluginKind, effect: 'by its name' });
}

export const authenticatorUse = () => pluginUse(authenticatorNames);
export const policyUse = () => pluginUse(policyNames);
