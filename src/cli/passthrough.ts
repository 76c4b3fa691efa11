/** `berthgate passthrough`: what `serve` starts to stand by, and what serves at the cache's addresses when that is gone. */

import { constants, fstatSync, openSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { PassFront } from '../cache/interception/index.ts';
import { type DescriptorPassing, loadDescriptorPassing, offerHandOver } from '../front/listeners/index.ts';
import type { AddCommand } from './program.ts';
import { firstDescriptor, type StandbyOrder, standbyPath } from './serve/standby.ts';
import { version } from './version.ts';

const TLS_PORT = 443;
const NOBODY = 65_534;
const LOOK_MS = 60_000;
/** How long what runs may go on when another process serves again. */
const LEAVING_MS = 3_600_000;

export const passthrough: AddCommand = (program, terminal) => {
  program
    .command('passthrough', { hidden: true })
    .summary('stand by for the cache of serve, which starts this itself')
    .description('Stands by for the cache of serve, which starts this itself, over descriptors that it inherits.')
    .action(() => standBy(terminal.err));
};

async function standBy(tell: (text: string) => void): Promise<void> {
  // All that lies where nobody else may look is there before root is given up.
  const passing = await loadDescriptorPassing();
  const order = await untilAlone();
  if (order === null) return;
  const state = openSync(order.state, constants.O_RDONLY | constants.O_DIRECTORY);
  const front = new PassFront(order.hosts, order.site);
  const sockets = new Map<string, net.Server[]>();
  const say = (text: string): void => tell(`${new Date().toISOString()} ${process.pid} ${text}\n`);
  const { over, offer, end } = lifeOf(front, sockets, say);
  await offer(standbyPath(order.state), passing);
  giveUpRoot();
  for (const [index, { key, port }] of order.sockets.entries()) {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      port === TLS_PORT ? front.acceptTls(socket) : front.acceptPlain(socket),
    );
    server.listen({ fd: firstDescriptor + index });
    sockets.set(key, [...(sockets.get(key) ?? []), server]);
  }
  say('serve is gone: the hosts of the cache are passed through');
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
  // Whoever takes the state away takes away what this was for.
  setInterval(() => fstatSync(state).nlink > 0 || end(), LOOK_MS).unref();
  await over;
}

/** Until it is ended, or another process has taken the sockets and nobody is connected here any more. */
function lifeOf(front: PassFront, sockets: ReadonlyMap<string, readonly net.Server[]>, say: (text: string) => void) {
  let end = (): void => {};
  const over = new Promise<void>((resolve) => {
    end = () => {
      front.close();
      resolve();
    };
  });
  const offer = async (path: string, passing: DescriptorPassing | null): Promise<void> => {
    const onFault = (fault: Error): void => say(fault.message);
    let unoffer = (): void => {};
    const onTaken = (): void => {
      unoffer();
      for (const server of [...sockets.values()].flat()) server.close();
      say('passing through ends');
      const until = Date.now() + LEAVING_MS;
      const look = setInterval(() => {
        if (front.connections > 0 && Date.now() < until) return;
        clearInterval(look);
        end();
      }, 100);
    };
    try {
      unoffer = await offerHandOver({ path, version, passing, sockets: () => sockets, onTaken, onFault });
    } catch (fault) {
      onFault(fault as Error);
    }
  };
  return { over, offer, end };
}

/** It reads what containers and servers send, and needs none of what root may do. */
function giveUpRoot(): void {
  if (process.getuid?.() !== 0) return;
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

/** What it was told, when whoever told it is there no more; null where it was told nothing. */
async function untilAlone(): Promise<StandbyOrder | null> {
  // A terminal's interrupt is for whoever started us.
  process.on('SIGINT', () => {});
  process.on('SIGHUP', () => {});
  let order: StandbyOrder | null = null;
  for await (const line of createInterface({ input: process.stdin })) order ??= JSON.parse(line) as StandbyOrder;
  process.removeAllListeners('SIGINT');
  return order;
}
