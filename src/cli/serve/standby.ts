/**
 * The process that answers at the cache's addresses when this one does not. It is our child, has the same listening
 * sockets from the start, and accepts nothing as long as the pipe to us is open: the kernel closes that when we are gone,
 * however we went. So no connection is refused meanwhile; who comes next takes the sockets from it.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, rmSync } from 'node:fs';
import type net from 'node:net';
import { join } from 'node:path';
import { type DescriptorPassing, descriptorOf, findIncumbent, takeOver } from '../../front/listeners/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import type { WayOutOptions } from '../../wire/way-out.ts';

const AGAIN_MS = 2000;
const GONE_MS = 5000;

/** What it is told, as one line of JSON. */
export interface StandbyOrder {
  readonly state: string;
  readonly hosts: readonly string[];
  readonly site: WayOutOptions;
  /** In the order of the descriptors from 3 on. */
  readonly sockets: readonly { readonly key: string; readonly port: number }[];
}

/** Where it is asked for its sockets while it serves. */
export function standbyPath(state: string): string {
  return join(state, 'passthrough.sock');
}

export class Standby {
  private readonly log: Log;
  /** How this program is started; null where it is part of another one. */
  private readonly program: readonly string[] | null;
  private readonly passing: DescriptorPassing | null;
  private child: ChildProcess | null = null;
  private again: NodeJS.Timeout | null = null;
  private told = '';

  constructor(log: Log, program: readonly string[] | null, passing: DescriptorPassing | null) {
    this.log = log;
    this.program = program;
    this.passing = passing;
  }

  /** From now on it stands by with these sockets; the one before it ends. */
  keep(order: Omit<StandbyOrder, 'sockets'>, servers: ReadonlyMap<string, readonly net.Server[]>): void {
    if (this.program === null) return;
    const sockets = [...servers].flatMap(([key, some]) =>
      some.map((server) => ({ key, server, port: portOf(server) })),
    );
    const told = JSON.stringify({ ...order, sockets: sockets.map(({ key, port }) => ({ key, port })) });
    if (told === this.told && this.child !== null) return;
    this.end();
    if (sockets.length === 0) return;
    this.told = told;
    this.start(order.state, told, () => sockets.map(({ server }) => descriptorOf(server)));
  }

  /** The sockets of one that serves since another process of ours has died; it ends when `served` is told. */
  async take(state: string): Promise<{
    readonly ready: (key: string) => readonly number[];
    readonly served: () => Promise<void>;
  } | null> {
    const path = standbyPath(state);
    if (this.passing !== null) {
      const taken = await takeOver(path, this.passing);
      if (taken === null) return null;
      const served = async (): Promise<void> => {
        await taken.served();
        rmSync(path, { force: true });
      };
      return { ready: (key) => taken.byKey.get(key)?.splice(0) ?? [], served };
    }
    // Without descriptors that pass, it leaves the addresses to us, and for a moment nobody is there.
    const incumbent = await findIncumbent(path);
    if (incumbent === null) return null;
    process.kill(incumbent.pid, 'SIGTERM');
    for (const until = Date.now() + GONE_MS; Date.now() < until; ) {
      if ((await findIncumbent(path).catch(() => null)) === null) break;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    return null;
  }

  /** It is not to serve: another one stands by, or nobody is to. */
  end(): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    this.told = '';
    this.child?.removeAllListeners('exit');
    this.child?.kill('SIGTERM');
    this.child = null;
  }

  /** Whoever stands by serves from now on, as long as nobody takes the sockets. */
  release(): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
    this.told = '';
    this.child?.removeAllListeners('exit');
    this.child?.stdin?.end();
    this.child = null;
  }

  private start(state: string, told: string, descriptors: () => readonly number[]): void {
    const [file, ...args] = this.program as readonly string[];
    const output = openSync(join(state, 'passthrough.log'), 'a', 0o600);
    try {
      const child = spawn(file as string, [...args, 'passthrough'], {
        detached: true,
        env: {},
        stdio: ['pipe', 'ignore', output, ...descriptors()],
      });
      this.child = child;
      child.on('error', (fault) => this.log.error({ reason: fault.message }, 'cache: nothing stands by'));
      child.stdin?.on('error', () => {});
      child.stdin?.write(`${told}\n`);
      child.on('exit', (code, signal) => {
        this.child = null;
        this.log.warn({ code, signal }, 'cache: what stands by has ended; it is started again');
        this.again = setTimeout(() => this.start(state, told, descriptors), AGAIN_MS).unref();
      });
      child.unref();
      (child.stdin as unknown as { unref(): void } | null)?.unref();
    } finally {
      closeSync(output);
    }
  }
}

function portOf(server: net.Server): number {
  return (server.address() as net.AddressInfo).port;
}

/** Of those that it inherits. */
export const firstDescriptor = 3;
