// A service manager, as far as a service can see it: the socket that is told, and the descriptors that it is given to keep.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import koffi from 'koffi';
import { messageHeader } from '../../src/front/listeners/message-header.ts';

const [AF_UNIX, SOCK_DGRAM, MSG_DONTWAIT, MSG_CMSG_CLOEXEC] = [1, 2, 0x40, 0x40000000];
const DEADLINE_MS = 60_000;
const POLL_MS = 5;

export interface ServiceManager {
  /** For NOTIFY_SOCKET. */
  readonly path: string;
  /** All that was told so far. */
  readonly told: readonly string[];
  /** Descriptors of this process by their FDNAME. */
  readonly kept: ReadonlyMap<string, number>;
  /** Resolves with the match as soon as something was told that fits. */
  hears(pattern: RegExp): Promise<RegExpExecArray>;
  close(): void;
}

export function startServiceManager(): ServiceManager {
  const lib = koffi.load(null);
  const message = messageHeader(koffi);
  const recvmsg = lib.func('recvmsg', 'int64_t', ['int', koffi.inout(koffi.pointer(message)), 'int']);
  const close = lib.func('close', 'int', ['int']);
  const bind = lib.func('bind', 'int', ['int', 'void *', 'uint32_t']);
  const folder = mkdtempSync(join(tmpdir(), 'bg-notify-'));
  const path = join(folder, 'notify');
  const socket = Number(lib.func('socket', 'int', ['int', 'int', 'int'])(AF_UNIX, SOCK_DGRAM, 0));
  const address = Buffer.concat([Buffer.from([AF_UNIX, 0]), Buffer.from(`${path}\0`)]);
  if (bind(socket, address, address.length) !== 0) throw new Error(`cannot bind ${path}: errno ${koffi.errno()}`);
  let closed = false;
  const told: string[] = [];
  const kept = new Map<string, number>();

  const drop = (name: string): void => {
    const before = kept.get(name);
    if (before !== undefined) close(before);
    kept.delete(name);
  };
  const receive = (): boolean => {
    const [data, control] = [Buffer.alloc(4096), Buffer.alloc(24)];
    const into = {
      name: null,
      nameLength: 0,
      vectors: [{ base: data, length: data.length }],
      vectorCount: 1,
      control,
      controlLength: control.length,
      flags: 0,
    };
    const count = Number(recvmsg(socket, into, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
    if (count < 0) return false;
    const text = data.subarray(0, count).toString();
    told.push(text);
    const [, name = ''] = /^FDNAME=(.+)$/m.exec(text) ?? [];
    if (/^FDSTORE(REMOVE)?=1$/m.test(text)) drop(name);
    // The descriptor lies behind the head of the message (cmsg(3)).
    if (/^FDSTORE=1$/m.test(text) && into.controlLength > 0) kept.set(name, control.readInt32LE(16));
    return true;
  };
  const timer = setInterval(() => {
    while (receive());
  }, POLL_MS);
  return {
    path,
    told,
    kept,
    async hears(pattern) {
      for (const deadline = Date.now() + DEADLINE_MS; Date.now() < deadline; await pause(POLL_MS)) {
        const found = told.map((text) => pattern.exec(text)).find((match) => match !== null);
        if (found !== undefined && found !== null) return found;
      }
      throw new Error(`${pattern} was not told, but ${JSON.stringify(told)}`);
    },
    close() {
      if (closed) return;
      closed = true;
      clearInterval(timer);
      for (const name of [...kept.keys()]) drop(name);
      close(socket);
      rmSync(folder, { recursive: true });
    },
  };
}
