// One connection of the fake engine: requests in, one at a time, answers out, byte for byte. It shares no code with
// src/wire, so that a fault there is not repeated here.
import type net from 'node:net';

export interface FakeHead {
  readonly status: number;
  readonly headers?: readonly (readonly [string, string])[];
}

/** The connection as a stream of bytes, after an upgrade. */
export interface Hijacked {
  /** The socket with all that has not been read, for somebody else to go on with. */
  release(): net.Socket;
  write(bytes: Uint8Array | string): void;
  /** Ends our half. */
  end(): void;
  onData(take: (bytes: Buffer) => void): void;
  onEnd(take: () => void): void;
}

/** The client went away in the middle of its body. */
export class ClientGone extends Error {}

const REASONS: Readonly<Record<number, string>> = {
  101: 'UPGRADED',
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  301: 'Moved Permanently',
  304: 'Not Modified',
  400: 'Bad Request',
  404: 'Not Found',
  409: 'Conflict',
  500: 'Internal Server Error',
};

export function headBytes({ status, headers = [] }: FakeHead): Buffer {
  const lines = headers.map(([name, value]) => `${name}: ${value}\r\n`);
  return Buffer.from(`HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${lines.join('')}\r\n`, 'latin1');
}

const DRAINED_BYTES = 256 * 1024;

export class FakeRequest {
  readonly method: string;
  readonly target: string;
  readonly headers: readonly (readonly [string, string])[];
  /** Exactly what came over the wire: the head, and behind it the body in its framing. */
  raw: Buffer;
  /** Resolves with the decoded body; rejects when the client goes away in the middle of it. */
  readonly body: Promise<Buffer>;
  /** The body is whole, or longer than Go's server reads before it sends an answer that did not wait for it. */
  readonly drained: Promise<boolean>;
  /** The client is gone, or has ended its half: to Go's server both end the request. */
  readonly gone: Promise<void>;
  /** Called for each piece of the body as it comes. */
  onBodyData: ((piece: Buffer) => void) | null = null;
  answered = false;
  readonly #connection: HttpConnection;
  #extra: readonly (readonly [string, string])[] = [];

  constructor(connection: HttpConnection, raw: Buffer, body: Promise<Buffer>, gone: Promise<void>) {
    const [first = '', ...lines] = raw.toString('latin1', 0, raw.length - 4).split('\r\n');
    const [method = '', target = ''] = first.split(' ');
    this.#connection = connection;
    this.method = method;
    this.target = target;
    this.raw = raw;
    this.headers = lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
    });
    this.body = body;
    this.gone = gone;
    let tooMuch: (whole: boolean) => void = () => {};
    let bytes = 0;
    this.drained = new Promise((resolve) => {
      tooMuch = resolve;
      body.then(() => resolve(true)).catch(() => resolve(false));
    });
    this.onBodyData = (piece) => {
      bytes += piece.length;
      if (bytes > DRAINED_BYTES) tooMuch(false);
    };
  }

  get socket(): net.Socket {
    return this.#connection.socket;
  }

  header(name: string): string | undefined {
    return this.headers.find(([given]) => given.toLowerCase() === name)?.[1];
  }

  /** All values of a header, in order. */
  headerAll(name: string): readonly string[] {
    return this.headers.filter(([given]) => given.toLowerCase() === name).map(([, value]) => value);
  }

  /** Headers that every answer to this request carries. */
  carry(headers: readonly (readonly [string, string])[]): void {
    this.#extra = [...this.#extra, ...headers];
  }

  get carried(): readonly (readonly [string, string])[] {
    return this.#extra;
  }

  /** A whole answer. */
  answer(head: FakeHead, body: Uint8Array | string = ''): void {
    const bytes = Buffer.from(body as string);
    const bodyless = head.status === 204 || head.status === 304;
    const headers = [...this.#extra, ...(head.headers ?? [])];
    if (!bodyless) headers.push(['Content-Length', String(bytes.length)]);
    this.#connection.write(headBytes({ status: head.status, headers }));
    if (this.method !== 'HEAD' && !bodyless) this.#connection.write(bytes);
    this.finish();
  }

  /** A chunked answer: the head leaves at once. */
  stream(head: FakeHead): { write(bytes: Uint8Array | string): void; end(): void } {
    const headers = [...this.#extra, ...(head.headers ?? []), ['Transfer-Encoding', 'chunked'] as const];
    this.#connection.write(headBytes({ status: head.status, headers }));
    let open = true;
    return {
      write: (bytes) => {
        const piece = Buffer.from(bytes as string);
        if (!open || piece.length === 0) return;
        this.#connection.write(`${piece.length.toString(16)}\r\n`);
        this.#connection.write(piece);
        this.#connection.write('\r\n');
      },
      end: () => {
        if (!open) return;
        open = false;
        this.#connection.write('0\r\n\r\n');
        this.finish();
      },
    };
  }

  /** Leaves HTTP: writes these bytes, and from then on everything is the caller's. */
  hijack(first: Uint8Array): Hijacked {
    this.answered = true;
    return this.#connection.hijack(first);
  }

  /** For who has written the answer by hand: the next request may come. */
  finish(): void {
    this.answered = true;
    this.#connection.finished(this);
  }
}

export class HttpConnection {
  readonly socket: net.Socket;
  readonly #onRequest: (request: FakeRequest) => void;
  #unread: Buffer = Buffer.alloc(0);
  #current: FakeRequest | null = null;
  #body: BodyReader | null = null;
  #gone: () => void = () => {};
  #ended = false;
  #hijacked: { data: ((bytes: Buffer) => void) | null; end: (() => void) | null } | null = null;

  constructor(socket: net.Socket, onRequest: (request: FakeRequest) => void) {
    this.socket = socket;
    this.#onRequest = onRequest;
    socket.on('data', (bytes: Buffer) => {
      if (this.#hijacked !== null && this.#body === null) this.#giveHijacked(bytes);
      else {
        this.#unread = Buffer.concat([this.#unread, bytes]);
        this.#advance();
      }
    });
    socket.on('end', () => this.#lose(true));
    socket.on('error', () => {});
    socket.on('close', () => this.#lose(false));
  }

  write(bytes: Uint8Array | string): void {
    if (!this.socket.destroyed && this.socket.writable) this.socket.write(bytes);
  }

  finished(request: FakeRequest): void {
    if (this.#current !== request) return;
    if (request.header('connection')?.toLowerCase() === 'close' || this.#ended) {
      this.socket.end();
      return;
    }
    if (this.#body !== null) return;
    this.#current = null;
    this.#advance();
  }

  hijack(first: Uint8Array): Hijacked {
    const hijacked: { data: ((bytes: Buffer) => void) | null; end: (() => void) | null } = { data: null, end: null };
    this.#hijacked = hijacked;
    this.write(first);
    return {
      release: () => {
        this.socket.pause();
        this.socket.removeAllListeners('data');
        if (this.#unread.length > 0) this.socket.unshift(this.#unread);
        return this.socket;
      },
      write: (bytes) => this.write(bytes),
      end: () => this.socket.end(),
      onData: (take) => {
        hijacked.data = take;
        this.#flushHijacked();
      },
      onEnd: (take) => {
        hijacked.end = take;
        if (this.#ended) take();
      },
    };
  }

  #flushHijacked(): void {
    if (this.#body !== null || this.#unread.length === 0) return;
    const bytes = this.#unread;
    this.#unread = Buffer.alloc(0);
    this.#giveHijacked(bytes);
  }

  #giveHijacked(bytes: Buffer): void {
    const take = this.#hijacked?.data ?? null;
    if (take === null) this.#unread = Buffer.concat([this.#unread, bytes]);
    else take(bytes);
  }

  #advance(): void {
    if (this.#body !== null && !this.#readBody()) return;
    if (this.#hijacked !== null) {
      this.#flushHijacked();
      return;
    }
    if (this.#current !== null) return;
    const end = this.#unread.indexOf('\r\n\r\n');
    if (end < 0) return;
    const raw = Buffer.from(this.#unread.subarray(0, end + 4));
    this.#unread = this.#unread.subarray(end + 4);
    const reader = new BodyReader(raw);
    this.#body = reader;
    const gone = new Promise<void>((resolve) => {
      this.#gone = resolve;
    });
    const request = new FakeRequest(this, raw, reader.whole, gone);
    this.#current = request;
    if (this.#readBody()) this.#onRequest(request);
    else {
      this.#onRequest(request);
      if (request.header('expect')?.toLowerCase() === '100-continue' && !request.answered) {
        this.write('HTTP/1.1 100 Continue\r\n\r\n');
      }
    }
  }

  /** True when the body of the current request is whole. */
  #readBody(): boolean {
    const body = this.#body as BodyReader;
    const request = this.#current as FakeRequest;
    const taken = body.take(this.#unread, (piece) => request.onBodyData?.(piece));
    request.raw = Buffer.concat([request.raw, this.#unread.subarray(0, taken)]);
    this.#unread = this.#unread.subarray(taken);
    if (!body.done) return false;
    this.#body = null;
    if (request.answered && this.#hijacked === null) {
      this.#current = null;
      queueMicrotask(() => this.#advance());
    }
    return true;
  }

  #lose(halfOpen: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#body?.break();
    this.#gone();
    this.#hijacked?.end?.();
    // Nothing was asked: Go's server closes an idle connection whose client has ended it.
    if (halfOpen && this.#current === null) this.socket.end();
  }
}

class BodyReader {
  readonly whole: Promise<Buffer>;
  done = false;
  readonly #chunked: boolean;
  #left: number;
  #pieces: Buffer[] = [];
  #resolve: (body: Buffer) => void = () => {};
  #reject: (fault: Error) => void = () => {};

  constructor(head: Buffer) {
    const text = head.toString('latin1');
    this.#chunked = /^transfer-encoding:\s*chunked\s*$/im.test(text);
    this.#left = this.#chunked ? 0 : Number(/^content-length:\s*(\d+)\s*$/im.exec(text)?.[1] ?? 0);
    this.whole = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Takes what belongs to the body; gives back how many bytes that was. */
  take(bytes: Buffer, onPiece: (piece: Buffer) => void): number {
    let at = 0;
    const keep = (piece: Buffer): void => {
      const copy = Buffer.from(piece);
      this.#pieces.push(copy);
      onPiece(copy);
    };
    if (!this.#chunked) {
      at = Math.min(this.#left, bytes.length);
      this.#left -= at;
      if (at > 0) keep(bytes.subarray(0, at));
      if (this.#left === 0) this.#finish();
      return at;
    }
    while (!this.done) {
      const line = bytes.indexOf('\r\n', at);
      if (line < 0) break;
      const size = Number.parseInt(bytes.toString('latin1', at, line), 16);
      if (size === 0) {
        // Trailers, if any, up to the empty line.
        const end = bytes.indexOf('\r\n\r\n', line);
        if (end < 0) break;
        at = end + 4;
        this.#finish();
      } else {
        if (bytes.length < line + 2 + size + 2) break;
        keep(bytes.subarray(line + 2, line + 2 + size));
        at = line + 2 + size + 2;
      }
    }
    return at;
  }

  break(): void {
    if (!this.done) this.#reject(new ClientGone());
  }

  #finish(): void {
    this.done = true;
    this.#resolve(Buffer.concat(this.#pieces));
  }
}
