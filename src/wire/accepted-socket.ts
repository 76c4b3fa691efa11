/**
 * Reading accepted sockets into buffers of ours. Node offers `onread` for sockets that connect, not for those that a
 * server accepts, so the handle of a paused socket is given to a second `net.Socket` made with `onread`. One whose TLS is
 * ended here hears of its TLS as well, so it stays, and is made what `onread` would have made it. Neither is documented:
 * it stands in this file only, and whoever calls it falls back to `data` events.
 */
import net from 'node:net';

export interface OnRead {
  readonly buffer: () => Buffer;
  readonly callback: (bytes: number, buffer: Buffer) => boolean;
}

interface InnerSocket {
  _handle: { useUserBuffer?: (buffer: Buffer) => void; reading?: boolean } | null;
  _server: unknown;
  server: unknown;
}

/** The socket that reads through `onread` in place of `socket`, which must not be used any more; null if it cannot be. */
export function adoptAcceptedSocket(socket: net.Socket, onread: OnRead): net.Socket | null {
  const inner = socket as unknown as InnerSocket;
  const handle = inner._handle;
  // A socket that reads already may hold bytes: only one of a server with `pauseOnConnect` can be taken over.
  if (
    handle === null ||
    handle === undefined ||
    typeof handle.useUserBuffer !== 'function' ||
    handle.reading === true
  ) {
    return null;
  }
  if (!socket.isPaused() || socket.readableLength > 0) return null;
  const options: net.SocketConstructorOpts = { allowHalfOpen: true };
  const adopted = new net.Socket({ ...options, handle, onread } as unknown as net.SocketConstructorOpts);
  const outer = adopted as unknown as InnerSocket;
  // The server counts its connections by these, and waits for them in close().
  outer.server = inner.server;
  outer._server = inner._server;
  inner._handle = null;
  return adopted;
}

/** Where Node keeps what `onread` gave it, by the descriptions of its symbols. */
const OF_ONREAD = ['kBuffer', 'kBufferCb', 'kBufferGen'] as const;

/** Whether a socket with TLS reads through `onread` from now on. For one of which nothing has been read. */
export function readSecured(socket: net.Socket, onread: OnRead): boolean {
  const { _handle: handle } = socket as unknown as InnerSocket;
  if (typeof handle?.useUserBuffer !== 'function' || socket.readableLength > 0) return false;
  const symbols = Object.getOwnPropertySymbols(socket);
  const [buffer, callback, next] = OF_ONREAD.map((name) => symbols.find(({ description }) => description === name));
  if (buffer === undefined || callback === undefined || next === undefined) return false;
  const first = onread.buffer();
  Object.assign(socket, { [buffer]: first, [callback]: onread.callback, [next]: onread.buffer });
  handle.useUserBuffer(first);
  return true;
}
