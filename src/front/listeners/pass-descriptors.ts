/**
 * Passes open sockets from one process to another over a unix socket (SCM_RIGHTS, unix(7)). Node passes them to its own
 * children only, and knows no unix sockets for datagrams, so the system calls are made through koffi. This file is the only
 * one that knows how.
 */

import net from 'node:net';
import { type Koffi, messageHeader } from './message-header.ts';

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Descriptors that come are closed in our children. */
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 0x8;
const EAGAIN = 11;
const EINTR = 4;
/** More are on their way than a process may have open. */
const ETOOMANYREFS = 109;

/** `struct cmsghdr` of 64-bit Linux (length, level, type) with one int behind it, and that padded to 8 bytes. */
const CMSG_BYTES = 20;
const CMSG_SPACE = 24;

const POLL_MS = 5;
const MOST_LINE_BYTES = 16 * 1024;

interface Received {
  readonly line: string;
  readonly fd: number | null;
}

export interface DescriptorPassing {
  /** One line with one descriptor. Waits while the other process has not yet taken those before it. */
  send(socket: net.Socket, line: string, fd: number, deadlineMs: number): Promise<void>;
  /** The next line, with the descriptor that came with it. The socket must have been paused before it was connected. */
  receive(socket: net.Socket, deadlineMs: number): Promise<Received>;
  /** To a socket for datagrams, an absolute path or `@` and an abstract name. Throws where nobody takes it. */
  sendDatagram(path: string, text: string, fd: number | null): void;
}

/** Null where koffi is not there, or does not know this machine. */
export async function loadDescriptorPassing(): Promise<DescriptorPassing | null> {
  if (process.platform !== 'linux' || (process.arch !== 'x64' && process.arch !== 'arm64')) return null;
  try {
    const { default: koffi } = await import('koffi');
    return bind(koffi);
  } catch {
    return null;
  }
}

function bind(koffi: Koffi): DescriptorPassing {
  const lib = koffi.load(null);
  const message = messageHeader(koffi);
  const sendmsg = lib.func('sendmsg', 'int64_t', ['int', koffi.pointer(message), 'int']);
  const open = lib.func('socket', 'int', ['int', 'int', 'int']);
  const close = lib.func('close', 'int', ['int']);
  const recvmsg = lib.func('recvmsg', 'int64_t', ['int', koffi.inout(koffi.pointer(message)), 'int']);

  const messageOf = (data: Buffer, control: Buffer) => ({
    name: null,
    nameLength: 0,
    vectors: [{ base: data, length: data.length }],
    vectorCount: 1,
    control,
    controlLength: control.length,
    flags: 0,
  });

  return {
    async send(socket, line, fd, deadlineMs) {
      const data = Buffer.from(`${line}\n`);
      for (const until = Date.now() + deadlineMs; ; ) {
        const message = messageOf(data, controlWith(fd));
        const sent = Number(sendmsg(descriptorOf(socket), message, MSG_NOSIGNAL | MSG_DONTWAIT));
        if (sent === data.length) return;
        const errno = koffi.errno();
        const full = sent < 0 && (errno === EAGAIN || errno === EINTR || errno === ETOOMANYREFS);
        if (!full || Date.now() > until) throw new Error(`a socket could not be passed on (errno ${errno})`);
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
    },

    sendDatagram(path, text, fd) {
      const data = Buffer.from(text);
      const address = unixAddress(path);
      const control = fd === null ? {} : { control: controlWith(fd), controlLength: CMSG_SPACE };
      const plain = { ...messageOf(data, Buffer.alloc(0)), control: null, controlLength: 0 };
      const from = open(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
      try {
        const addressed = { ...plain, name: address, nameLength: address.length, ...control };
        // It waits where the queue is full: what is not told is never told.
        const sent = Number(sendmsg(from, addressed, MSG_NOSIGNAL));
        if (sent !== data.length) throw new Error(`${path} takes nothing (errno ${koffi.errno()})`);
      } finally {
        close(from);
      }
    },

    async receive(socket, deadlineMs) {
      const until = Date.now() + deadlineMs;
      const pieces: Buffer[] = [];
      let fd: number | null = null;
      for (;;) {
        // One byte at a time over what is a few hundred: what follows the line must stay in the kernel.
        const data = Buffer.alloc(1);
        const control = Buffer.alloc(CMSG_SPACE);
        const into = messageOf(data, control);
        const count = Number(recvmsg(descriptorOf(socket), into, MSG_DONTWAIT | MSG_CMSG_CLOEXEC));
        if (count < 0) {
          const errno = koffi.errno();
          if (errno !== EAGAIN && errno !== EINTR) throw new Error(`nothing more can be received (errno ${errno})`);
          if (Date.now() > until) throw new Error('the other process did not answer in time');
          await new Promise((resolve) => setTimeout(resolve, POLL_MS));
          continue;
        }
        if (count === 0) throw new Error('the other process ended the conversation');
        if ((into.flags & MSG_CTRUNC) !== 0) throw new Error('a socket did not come through: too many open files?');
        if (into.controlLength >= CMSG_BYTES && control.readInt32LE(12) === SCM_RIGHTS) fd = control.readInt32LE(16);
        if (data[0] === 0x0a) return { line: Buffer.concat(pieces).toString(), fd };
        pieces.push(data);
        if (pieces.length > MOST_LINE_BYTES) throw new Error('what the other process says is no line');
      }
    },
  };
}

function controlWith(fd: number): Buffer {
  const control = Buffer.alloc(CMSG_SPACE);
  control.writeBigUInt64LE(BigInt(CMSG_BYTES), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  control.writeInt32LE(fd, 16);
  return control;
}

/** `struct sockaddr_un`. An abstract name begins with a zero, and is as long as it is. */
function unixAddress(path: string): Buffer {
  const family = Buffer.alloc(2);
  family.writeUInt16LE(AF_UNIX);
  return Buffer.concat([family, Buffer.from(path.startsWith('@') ? `\0${path.slice(1)}` : `${path}\0`)]);
}

/** The number of an open socket or server. Node keeps it on its handle and nowhere else. */
export function descriptorOf(socket: net.Socket | net.Server): number {
  const { _handle: handle } = socket as unknown as { readonly _handle: { readonly fd?: number } | null };
  const fd = handle?.fd;
  if (fd === undefined || fd < 0) throw new Error('the socket is not open');
  return fd;
}

/** A descriptor that came and is not wanted. */
export async function closeDescriptor(fd: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const server = net.createServer();
    server.on('error', () => resolve());
    server.listen({ fd } as net.ListenOptions, () => server.close(() => resolve()));
  });
}
