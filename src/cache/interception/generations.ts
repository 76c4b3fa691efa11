/**
 * The CAs of interception as they lie in the state: a new one every `rotate`, each valid for `life`. A container is given
 * the roots of all that are valid, and what it is shown is signed by the oldest of them: whatever was made in between
 * knows it. So a container that is never started again is served for at least `life` less `rotate`.
 */

import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { makeIntermediate, makeRoot, pemOf, readKey, SUBJECT, type Validity } from './certificates.ts';

/** Clocks of containers on other machines may be late. */
const EARLIER_MS = 3_600_000;
const FILE = /^(\d+)\.json$/;

export interface Generation {
  readonly number: number;
  readonly bornMs: number;
  readonly endsMs: number;
  /** In their order, lower case; patterns as in the configuration. */
  readonly hosts: readonly string[];
  /** The common name of the root. */
  readonly name: string;
  /** PEM. */
  readonly root: string;
  /** PEM. */
  readonly intermediate: string;
  readonly key: KeyObject;
}

interface Written extends Omit<Generation, 'number' | 'key'> {
  /** PEM. */
  readonly key: string;
}

export interface GenerationsOptions {
  /** A folder of our own, made where it is missing. */
  readonly folder: string;
  readonly lifeMs: number;
  readonly rotateMs: number;
  readonly hosts: readonly string[];
}

/** All that are valid now, the oldest first; the last one is for these hosts, and made where it is time. @throws Error of the file system */
export function keepGenerations(options: GenerationsOptions, nowMs: number): readonly Generation[] {
  const { folder, rotateMs } = options;
  const hosts = [...new Set(options.hosts)].sort();
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  for (;;) {
    const numbers = numbersIn(folder);
    const found = numbers.map((number) => readGeneration(folder, number));
    for (const { number, endsMs } of found) if (endsMs <= nowMs) rmSync(fileOf(folder, number), { force: true });
    const valid = found.filter(({ bornMs, endsMs }) => endsMs > nowMs && bornMs - EARLIER_MS <= nowMs);
    const fresh = valid.filter((one) => one.bornMs + rotateMs > nowMs && sameHosts(one.hosts, hosts));
    if (fresh.length > 0) return valid;
    // Where another process has made the same one meanwhile, that one counts.
    write(folder, (numbers.at(-1) ?? 0) + 1, make({ ...options, hosts }, nowMs));
  }
}

/** By which one a host is shown: the oldest that may sign for it and goes on for `marginMs`; undefined where none may. */
export function signingFor(
  generations: readonly Generation[],
  host: string,
  nowMs: number,
  marginMs: number,
): Generation | undefined {
  const able = generations.filter(({ hosts, endsMs }) => endsMs > nowMs && matchesHost(hosts, host));
  return able.find(({ endsMs }) => endsMs - marginMs > nowMs) ?? able.at(-1);
}

/** `*.example.org` is for what is below it. */
export function matchesHost(patterns: readonly string[], host: string): boolean {
  return patterns.some((one) => (one.startsWith('*.') ? host.endsWith(one.slice(1)) : host === one));
}

export function validityOf({ bornMs, endsMs }: Pick<Generation, 'bornMs' | 'endsMs'>): Validity {
  return { fromMs: bornMs - EARLIER_MS, toMs: endsMs };
}

function make({ hosts, lifeMs }: GenerationsOptions, nowMs: number): Written {
  const name = `${SUBJECT} ${randomBytes(8).toString('hex')}`;
  const bornMs = Math.floor(nowMs / 1000) * 1000;
  const endsMs = bornMs + lifeMs;
  const validity = validityOf({ bornMs, endsMs });
  // The root's key ends with this function.
  const root = { name, key: generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey };
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const intermediate = makeIntermediate(root, { name: intermediateName(name), key: publicKey }, hosts, validity);
  return {
    bornMs,
    endsMs,
    hosts,
    name,
    root: pemOf(makeRoot(root, hosts, validity)),
    intermediate: pemOf(intermediate),
    key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString(),
  };
}

export function intermediateName(root: string): string {
  return `${root} intermediate`;
}

/** Whole or not at all, also after a crash; nothing where the number is taken. */
function write(folder: string, number: number, written: Written): void {
  const draft = join(folder, `.${process.pid}-${randomBytes(4).toString('hex')}`);
  const descriptor = openSync(draft, 'wx', 0o600);
  try {
    writeFileSync(descriptor, JSON.stringify(written));
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
  try {
    linkSync(draft, fileOf(folder, number));
  } catch (fault) {
    if ((fault as NodeJS.ErrnoException).code !== 'EEXIST') throw fault;
  } finally {
    rmSync(draft, { force: true });
  }
  const directory = openSync(folder, 'r');
  fsyncSync(directory);
  closeSync(directory);
}

function numbersIn(folder: string): readonly number[] {
  return readdirSync(folder)
    .flatMap((file) => FILE.exec(file)?.[1] ?? [])
    .map(Number)
    .sort((a, b) => a - b);
}

function readGeneration(folder: string, number: number): Generation {
  const file = fileOf(folder, number);
  try {
    const { key, ...rest } = JSON.parse(readFileSync(file, 'utf8')) as Written;
    return { ...rest, number, key: readKey(key) };
  } catch (fault) {
    throw new Error(`${file}: is no CA of ours (${(fault as Error).message}): remove it, and a new one is made`);
  }
}

function fileOf(folder: string, number: number): string {
  return join(folder, `${number}.json`);
}

function sameHosts(some: readonly string[], others: readonly string[]): boolean {
  return some.length === others.length && some.every((host, i) => host === others[i]);
}
