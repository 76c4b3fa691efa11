/**
 * Upgrades: the process that comes asks the one that is there for its listening sockets, and the one that is there
 * stops accepting when it is told that they are served. Also the lock that keeps a second process off the same state.
 *
 * Lines of JSON over a unix socket of mode 0600: `{"ask":"who"}` → `{"pid":…,"version":…}`; `{"ask":"sockets"}` →
 * `{"socket":KEY}` with a descriptor, once for each, then `{"end":true}`; `{"taken":true}` → `{"yielded":true}`.
 */

import net from 'node:net';
import { closeDescriptor, type DescriptorPassing, descriptorOf } from './pass-descriptors.ts';
import { bindUnix } from './unix-socket.ts';

const ANSWER_MS = 5000;
/** From the sockets to the word that they are served: the other process reads certificates and plugins meanwhile. */
const TAKING_MS = 60_000;
const MOST_LINE_BYTES = 4096;

interface HandOverOptions {
  readonly path: string;
  readonly version: string;
  readonly passing: DescriptorPassing | null;
  /** What is listened on now, by the keys of `socketKey`. */
  readonly sockets: () => ReadonlyMap<string, readonly net.Server[]>;
  /** The other process serves: stop accepting, and end when what runs has ended. */
  readonly onTaken: () => void;
  readonly onFault: (fault: Error) => void;
}

/** The side that is there. Resolves when another process can find it; gives back how to be found no more. */
export async function offerHandOver(options: HandOverOptions): Promise<() => void> {
  const server = net.createServer({ pauseOnConnect: false }, (socket) => converse(socket, options));
  server.maxConnections = 16;
  const remove = await bindUnix(server, options.path, { mode: 0o600 });
  server.on('error', options.onFault);
  server.unref();
  return () => {
    server.close();
    try {
      remove();
    } catch (fault) {
      // Who has given up root meanwhile leaves the file, which leads to nobody.
      if ((fault as NodeJS.ErrnoException).code !== 'EACCES') throw fault;
    }
  };
}

function converse(socket: net.Socket, options: HandOverOptions): void {
  const timer = setTimeout(() => socket.destroy(), TAKING_MS);
  let said = '';
  let turn = Promise.resolve(false);
  socket.unref();
  socket.on('close', () => clearTimeout(timer));
  socket.on('error', () => socket.destroy());
  socket.on('data', (bytes: Buffer) => {
    said += bytes.toString('latin1');
    if (said.length > MOST_LINE_BYTES) socket.destroy();
    for (let end = said.indexOf('\n'); end >= 0; end = said.indexOf('\n')) {
      const line = said.slice(0, end);
      said = said.slice(end + 1);
      turn = turn.then((passed) => answer(line, socket, passed, options));
      turn = turn.catch((fault: Error) => {
        options.onFault(fault);
        socket.destroy();
        return false;
      });
    }
  });
}

/** `passed`, and what is given back: whether the other process has all sockets. */
async function answer(line: string, socket: net.Socket, passed: boolean, options: HandOverOptions): Promise<boolean> {
  const { ask, taken } = JSON.parse(line) as { readonly ask?: unknown; readonly taken?: unknown };
  if (ask === 'who') {
    socket.write(`${JSON.stringify({ pid: process.pid, version: options.version })}\n`);
  } else if (ask === 'sockets') {
    const { passing } = options;
    if (passing === null) {
      socket.write(`${JSON.stringify({ refused: 'it has no koffi, with which sockets are passed on' })}\n`);
      return passed;
    }
    for (const [key, servers] of options.sockets()) {
      for (const server of servers) {
        // It may have been closed while those before it went.
        if (server.listening)
          await passing.send(socket, JSON.stringify({ socket: key }), descriptorOf(server), ANSWER_MS);
      }
    }
    socket.write('{"end":true}\n');
    return true;
  } else if (taken === true && passed) {
    options.onTaken();
    socket.end('{"yielded":true}\n');
  }
  return passed;
}

interface Incumbent {
  readonly pid: number;
  readonly version: string;
}

/** Who serves with the state that this socket belongs to; null when nobody does. */
export async function findIncumbent(path: string): Promise<Incumbent | null> {
  const socket = await connect(path);
  if (socket === null) return null;
  try {
    socket.write('{"ask":"who"}\n');
    const { pid, version } = JSON.parse(await readLine(socket)) as {
      readonly pid?: unknown;
      readonly version?: unknown;
    };
    return { pid: Number(pid), version: String(version) };
  } finally {
    socket.destroy();
  }
}

export interface TakenSockets {
  /** Descriptors that nobody has asked for yet. */
  readonly byKey: Map<string, number[]>;
  /** Tells the other process that all of them are served; it has stopped accepting when this resolves. */
  served(): Promise<void>;
  /** Gives up: the other process goes on as if nothing had been. */
  giveUp(): Promise<void>;
}

/** The side that comes. Null when nobody is there to take from. */
export async function takeOver(path: string, passing: DescriptorPassing): Promise<TakenSockets | null> {
  const socket = await connect(path);
  if (socket === null) return null;
  const byKey = new Map<string, number[]>();
  const giveUp = async (): Promise<void> => {
    socket.destroy();
    for (const fds of byKey.values()) for (const fd of fds) await closeDescriptor(fd);
    byKey.clear();
  };
  try {
    socket.write('{"ask":"sockets"}\n');
    for (;;) {
      const { line, fd } = await passing.receive(socket, ANSWER_MS);
      const said = JSON.parse(line) as {
        readonly socket?: unknown;
        readonly end?: unknown;
        readonly refused?: unknown;
      };
      if (said.end === true) break;
      if (typeof said.socket !== 'string' || fd === null) throw new Error(`it refused: ${String(said.refused)}`);
      const fds = byKey.get(said.socket) ?? [];
      fds.push(fd);
      byKey.set(said.socket, fds);
    }
  } catch (fault) {
    await giveUp();
    throw new Error(`the sockets of the process that serves could not be taken over: ${(fault as Error).message}`);
  }
  const served = async (): Promise<void> => {
    for (const fds of byKey.values()) for (const fd of fds.splice(0)) await closeDescriptor(fd);
    socket.write('{"taken":true}\n');
    // Where it ends without a word it is gone, and nothing is left to wait for.
    await readLine(socket).catch(() => {});
    socket.destroy();
  };
  return { byKey, served, giveUp };
}

function connect(path: string): Promise<net.Socket | null> {
  return new Promise((resolve, reject) => {
    const socket = net.connect({ path });
    // Paused from the start: descriptors are lost when libuv reads what they came with.
    socket.pause();
    socket.setTimeout(ANSWER_MS, () => socket.destroy(new Error(`${path} does not answer`)));
    socket.once('connect', () => {
      socket.setTimeout(0);
      socket.off('error', failed);
      socket.on('error', () => socket.destroy());
      resolve(socket);
    });
    const failed = (fault: NodeJS.ErrnoException): void => {
      if (fault.code === 'ENOENT' || fault.code === 'ECONNREFUSED') resolve(null);
      else reject(fault);
    };
    socket.once('error', failed);
  });
}

function readLine(socket: net.Socket): Promise<string> {
  return new Promise((resolve, reject) => {
    let said = '';
    const timer = setTimeout(
      () => settle(() => reject(new Error('the process that serves does not answer'))),
      ANSWER_MS,
    );
    const settle = (done: () => void): void => {
      clearTimeout(timer);
      socket.off('data', onData);
      socket.off('close', onClose);
      socket.pause();
      done();
    };
    const onData = (bytes: Buffer): void => {
      said += bytes.toString('latin1');
      const end = said.indexOf('\n');
      if (end >= 0) settle(() => resolve(said.slice(0, end)));
    };
    const onClose = (): void => settle(() => reject(new Error('the process that serves ended the conversation')));
    socket.on('data', onData);
    socket.once('close', onClose);
    socket.resume();
  });
}
