/** `berthgate passthrough`: what `serve` starts to stand by, and what serves at the cache's addresses when that is gone. */

import { existsSync } from 'node:fs';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { PassFront } from '../cache/interception/index.ts';
import { loadDescriptorPassing, offerHandOver } from '../front/listeners/index.ts';
import type { AddCommand } from './program.ts';
import { firstDescriptor, type StandbyOrder, standbyPath } from './serve/standby.ts';
import { version } from './version.ts';

const TLS_PORT = 443;
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
  const order = await untilAlone();
  if (order === null) return;
  const front = new PassFront(order.hosts, order.site);
  const sockets = new Map<string, net.Server[]>();
  for (const [index, { key, port }] of order.sockets.entries()) {
    const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
      port === TLS_PORT ? front.acceptTls(socket) : front.acceptPlain(socket),
    );
    server.listen({ fd: firstDescriptor + index });
    sockets.set(key, [...(sockets.get(key) ?? []), server]);
  }
  const say = (text: string): void => tell(`${new Date().toISOString()} ${process.pid} ${text}\n`);
  say('serve is gone: the hosts of the cache are passed through');
  await new Promise<void>((resolve) => {
    let unoffer = (): void => {};
    const leave = (): void => {
      unoffer();
      for (const server of [...sockets.values()].flat()) server.close();
      say('passing through ends');
      const until = Date.now() + LEAVING_MS;
      const look = setInterval(() => {
        if (front.connections > 0 && Date.now() < until) return;
        clearInterval(look);
        front.close();
        resolve();
      }, 100);
    };
    const stop = (): void => {
      front.close();
      resolve();
    };
    process.on('SIGTERM', stop);
    process.on('SIGINT', stop);
    // Whoever takes the state away takes away what this was for.
    setInterval(() => existsSync(order.state) || stop(), LOOK_MS).unref();
    void loadDescriptorPassing().then((passing) =>
      offerHandOver({
        path: standbyPath(order.state),
        version,
        passing,
        sockets: () => sockets,
        onTaken: leave,
        onFault: (fault) => say(fault.message),
      }).then(
        (stop) => {
          unoffer = stop;
        },
        (fault: Error) => say(fault.message),
      ),
    );
  });
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
