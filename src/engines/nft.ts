/** The packet filter of the host that Berthgate runs on, through nft (package nftables). */

import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';

const DEADLINE_MS = 20_000;
const MOST_BYTES = 64 * 1024 * 1024;
/** Of the process, where /sys may be that of another network namespace. */
const LINKS = '/proc/self/net/dev';

/** The message is nft's own, or says why there is none. */
class NftFault extends Error {}

/** Does all of a script or, where any of it cannot be, nothing. @throws NftFault */
export async function applyScript(script: string): Promise<void> {
  await run(['-f', '-'], script);
}

/** The JSON of `list table`, without counts; null where there is no such table. @throws NftFault */
export async function listTable(table: string, withElements: boolean): Promise<string | null> {
  const listed = await run(['--json', 'list', 'tables'], '');
  const { nftables } = JSON.parse(listed) as { readonly nftables: readonly { readonly table?: Named }[] };
  const there = nftables.some(({ table: one }) => one !== undefined && `${one.family} ${one.name}` === table);
  if (!there) return null;
  return run(['--json', '--stateless', ...(withElements ? [] : ['--terse']), 'list', 'table', ...table.split(' ')], '');
}

interface Named {
  readonly family: string;
  readonly name: string;
}

/** The links of the network namespace that we are in; none where the system does not tell. */
export async function linksHere(): Promise<ReadonlySet<string>> {
  const text = await readFile(LINKS, 'utf8').catch(() => '');
  return new Set([...text.matchAll(/^ *([^:\s]+):/gm)].map(([, link = '']) => link));
}

function run(args: readonly string[], input: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // As of a shell of root: services and ordinary users have a path without it.
    const env = { PATH: '/usr/sbin:/sbin:/usr/bin:/bin', LC_ALL: 'C' };
    const child = spawn('nft', args, { env, stdio: 'pipe', timeout: DEADLINE_MS, killSignal: 'SIGKILL' });
    let out = '';
    let err = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      out += text;
      if (out.length > MOST_BYTES) child.kill('SIGKILL');
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      if (err.length < 64 * 1024) err += text;
    });
    // nft may end before it has read what it cannot use.
    child.stdin.on('error', () => {}).end(input);
    child.on('error', (fault: NodeJS.ErrnoException) => {
      const absent = 'nft is not there (install the package nftables)';
      reject(new NftFault(fault.code === 'ENOENT' ? absent : `nft cannot be run: ${fault.message}`));
    });
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else reject(new NftFault(reasonOf(err, signal)));
    });
  });
}

function reasonOf(err: string, signal: NodeJS.Signals | null): string {
  if (signal !== null) return `nft did not end within ${DEADLINE_MS / 1000} s`;
  if (/Operation not permitted|must be root/.test(err)) return 'changing the packet filter needs root (CAP_NET_ADMIN)';
  return `nft: ${err.trim().split('\n', 1)[0] ?? 'failed'}`;
}
