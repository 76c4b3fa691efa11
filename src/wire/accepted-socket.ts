/**
 * Reading accepted sockets into buffers of ours. Node offers `onread` for sockets that connect, not for those that a
 * server accepts, so the handle of a paused socket is given to a second `net.Socket` made with `onread`. That is not
 * documented: it stands in this file only, and whoever calls it falls back to `data` events on null.
 */
import net from 'node:net';

export interface OnRead {
  readonly buffer: () => Buffer;
  readonly callback: (bytes: number, buffer: Buffer) => boolean;
}

interface InnerSocket {
  _handle: { useUserBuffer?: unknown; reading?: boolean } | null;
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
