/**
 * Passes open sockets from one process to another over a unix socket (SCM_RIGHTS, unix(7)). Node passes them to its own
 * children only, so the two system calls are made through koffi. This file is the only one that knows how.
 */

import net from 'node:net';

/** As koffi is optional, so is everything here. */
type Koffi = typeof import('koffi').default;

const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Descriptors that come are closed in our children. */
const MSG_CMSG_CLOEXEC = 0x40000000;
const MSG_CTRUNC = 0x8;
const EAGAIN = 11;
const EINTR = 4;

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
  /** One line with one descriptor. Throws where the kernel does not take it at once: it is small, and it does. */
  send(socket: net.Socket, line: string, fd: number): void;
  /** The next line, with the descriptor that came with it. The socket must have been paused before it was connected. */
  receive(socket: net.Socket, deadlineMs: number): Promise<Received>;
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
  const iovec = koffi.struct({ base: 'void *', length: 'size_t' });
  const message = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    vectors: koffi.pointer(iovec),
    vectorCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const sendmsg = lib.func('sendmsg', 'int64_t', ['int', koffi.pointer(message), 'int']);
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
    send(socket, line, fd) {
      const data = Buffer.from(`${line}\n`);
      const control = Buffer.alloc(CMSG_SPACE);
      control.writeBigUInt64LE(BigInt(CMSG_BYTES), 0);
      control.writeInt32LE(SOL_SOCKET, 8);
      control.writeInt32LE(SCM_RIGHTS, 12);
      control.writeInt32LE(fd, 16);
      const sent = Number(sendmsg(descriptorOf(socket), messageOf(data, control), MSG_NOSIGNAL | MSG_DONTWAIT));
      if (sent !== data.length) throw new Error(`a socket could not be passed on (errno ${koffi.errno()})`);
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
