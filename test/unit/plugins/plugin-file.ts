// Plugins as files, loaded as a configuration would have them.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import type { Authenticator, AuthenticatorContext } from '../../../src/exchange/authenticator.ts';
import type { Policy, PolicyCreation } from '../../../src/exchange/policy.ts';
import { loadAuthenticatorPlugin, loadPolicyPlugin } from '../../../src/rules/plugins/load.ts';

export interface Logged {
  readonly lines: { readonly facts: Readonly<Record<string, unknown>>; readonly message: string }[];
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

export function logged(): Logged {
  const lines: Logged['lines'] = [];
  const write = (facts: object, message: string): void => void lines.push({ facts: facts as never, message });
  return { lines, info: write, warn: write };
}

export function pluginFile(text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'bg-plugin-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const file = join(folder, 'plugin.mjs');
  writeFileSync(file, text);
  return file;
}

/** A policy whose `judge` is this text. */
export function policyText(judge: string, more = ''): string {
  return `export default {
    kind: 'policy',
    name: 'own',
    options: (given) => given,
    create: (options, context) => ({ judge: ${judge}, ${more} }),
  };`;
}

export async function policyFrom(file: string, options: object = {}, log: Logged = logged()): Promise<Policy> {
  const kind = await loadPolicyPlugin(file);
  const creation = { listener: 'people', resolve: (path: string) => path, log, ownPorts: [] };
  return kind.create(kind.options.parse(options), creation as unknown as PolicyCreation);
}

export async function authenticatorFrom(
  file: string,
  options: object = {},
  log: Logged = logged(),
): Promise<Authenticator> {
  const kind = await loadAuthenticatorPlugin(file);
  const context: AuthenticatorContext = {
    listener: 'people',
    transport: 'unix',
    clientCa: null,
    resolve: (path) => path,
    download: () => Promise.reject(new Error('nothing is downloaded here')),
    log,
  };
  return kind.create(kind.options.parse(options), context);
}
