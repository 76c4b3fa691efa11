// A client that sends exactly the bytes it is told to, and shows exactly the bytes that came back: for contracts and
// attacks, where a well-behaved HTTP library would be in the way.
import net from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly reason: string;
  /** As they came: `[[name, value], …]`. */
  readonly headers: readonly (readonly [string, string])[];
  /** Of the first header of that name, in any case. */
  header(name: string): string | undefined;
}

export interface WholeAnswer extends RawAnswer {
  readonly body: Buffer;
  readonly text: string;
  /** The body as JSON. */
  json<T = Record<string, unknown>>(): T;
}

/** A path of a unix socket, or a TCP address. */
export type Place = string | { readonly host: string; readonly port: number };

const DEADLINE_MS = 20_000;

export class RawClient {
  readonly socket: net.Socket;
  /** The other side has ended its half. */
  ended = false;
  /** The socket broke, as seen from here. */
  fault: Error | null = null;
  #received: Buffer = Buffer.alloc(0);
  #waiting: (() => void) | null = null;

  constructor(socket: net.Socket) {
    this.socket = socket;
    socket.on('data', (chunk: Buffer) => {
      this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
      this.#waiting?.();
    });
    socket.on('end', () => {
      this.ended = true;
      this.#waiting?.();
    });
    socket.on('error', (fault) => {
      this.fault = fault;
      this.ended = true;
      this.#waiting?.();
    });
    socket.on('close', () => {
      this.ended = true;
      this.#waiting?.();
    });
  }

  static connect(place: Place): Promise<RawClient> {
    return new Promise((resolve, reject) => {
      const where = typeof place === 'string' ? { path: place } : place;
      const socket = net.connect({ ...where, allowHalfOpen: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new RawClient(socket));
      });
    });
  }

  send(bytes: string | Uint8Array): this {
    this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes);
    return this;
  }

  /** Sends our end; the other half stays open. */
  end(): this {
    this.socket.end();
    return this;
  }

  destroy(): void {
    this.socket.destroy();
  }

  /** The socket with all that has not been read, for somebody else to go on with. */
  release(): net.Socket {
    this.socket.pause();
    this.socket.removeAllListeners('data');
    if (this.#received.length > 0) this.socket.unshift(this.#received);
    return this.socket;
  }

  /** Whatever has come and has not been read. */
  get unread(): Buffer {
    return this.#received;
  }

  /** Reads the head of an answer; 1xx heads are given back like any other. */
  async head(): Promise<RawAnswer> {
    const end = await this.#await(() => this.#received.indexOf('\r\n\r\n'), 'the head of an answer');
    const text = this.#received.toString('latin1', 0, end);
    this.#received = this.#received.subarray(end + 4);
    return parseHead(text);
  }

  /** Reads the body that belongs to a head, decoded. */
  async body(head: RawAnswer, method = 'GET'): Promise<Buffer> {
    if (method === 'HEAD' || head.status < 200 || head.status === 204 || head.status === 304) return Buffer.alloc(0);
    if (head.header('transfer-encoding')?.toLowerCase() === 'chunked') return this.#chunked();
    const length = head.header('content-length');
    return length === undefined ? this.toEnd() : this.bytes(Number(length));
  }

  /** Reads one whole answer, with what came before it (1xx) left out. */
  async answer(method = 'GET'): Promise<WholeAnswer> {
    let head = await this.head();
    while (head.status < 200 && head.status !== 101) head = await this.head();
    return whole(head, await this.body(head, method));
  }

  async bytes(count: number): Promise<Buffer> {
    await this.#await(() => (this.#received.length >= count ? 0 : -1), `${count} bytes`);
    return this.#take(count);
  }

  /** Reads up to and with `mark`. */
  async until(mark: string | Uint8Array): Promise<Buffer> {
    const wanted = Buffer.from(mark as Uint8Array);
    const at = await this.#await(() => this.#received.indexOf(wanted), `the bytes ${JSON.stringify(String(mark))}`);
    return this.#take(at + wanted.length);
  }

  /** Reads one chunk of a chunked body; null at its end. */
  async chunk(): Promise<Buffer | null> {
    const line = (await this.until('\r\n')).toString('latin1').trim();
    const size = Number.parseInt(line, 16);
    if (!Number.isInteger(size)) throw new Error(`not a chunk: ${JSON.stringify(line)}`);
    if (size > 0) {
      const data = await this.bytes(size + 2);
      return data.subarray(0, size);
    }
    while ((await this.until('\r\n')).length > 2);
    return null;
  }

  async toEnd(): Promise<Buffer> {
    await this.#await(() => (this.ended ? 0 : -1), 'the end');
    return this.#take(this.#received.length);
  }

  async #chunked(): Promise<Buffer> {
    const chunks: Buffer[] = [];
    for (;;) {
      const chunk = await this.chunk();
      if (chunk === null) return Buffer.concat(chunks);
      chunks.push(chunk);
    }
  }

  #take(count: number): Buffer {
    const taken = this.#received.subarray(0, count);
    this.#received = this.#received.subarray(count);
    return taken;
  }

  #await(find: () => number, what: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const finish = (error: string | null, found = 0): void => {
        clearTimeout(deadline);
        this.#waiting = null;
        if (error === null) resolve(found);
        else
          reject(new Error(`${error} ${what}; received ${JSON.stringify(this.#received.toString('latin1', 0, 2000))}`));
      };
      const look = (): void => {
        const found = find();
        if (found >= 0) finish(null, found);
        else if (this.ended)
          finish(`the connection ended${this.fault === null ? '' : ` (${this.fault.message})`} before`);
      };
      const deadline = setTimeout(() => finish('waited too long for'), DEADLINE_MS);
      this.#waiting = look;
      look();
    });
  }
}

function parseHead(text: string): RawAnswer {
  const [first = '', ...lines] = text.split('\r\n');
  const parsed = /^HTTP\/1\.[01] (\d{3})(?: (.*))?$/.exec(first);
  if (parsed === null) throw new Error(`not a status line: ${JSON.stringify(first)}`);
  const headers = lines.map((line) => {
    const colon = line.indexOf(':');
    return [line.slice(0, colon), line.slice(colon + 1).trim()] as const;
  });
  return {
    status: Number(parsed[1]),
    reason: parsed[2] ?? '',
    headers,
    header: (name) => headers.find(([given]) => given.toLowerCase() === name.toLowerCase())?.[1],
  };
}

function whole(head: RawAnswer, body: Buffer): WholeAnswer {
  return { ...head, body, text: body.toString(), json: <T>() => JSON.parse(body.toString()) as T };
}

export interface Ask {
  readonly headers?: Readonly<Record<string, string>>;
  /** Anything but bytes and text is sent as JSON. */
  readonly body?: unknown;
}

/** The bytes of one ordinary request. */
export function requestBytes(method: string, target: string, { headers = {}, body }: Ask = {}): Buffer {
  const raw = typeof body === 'string' || body instanceof Uint8Array;
  const bytes = body === undefined ? null : Buffer.from(raw ? (body as string) : JSON.stringify(body));
  const lines = [`${method} ${target} HTTP/1.1`, 'Host: docker'];
  if (bytes !== null) lines.push(`Content-Length: ${bytes.length}`);
  const typed = Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
  if (bytes !== null && !raw && !typed) lines.push('Content-Type: application/json');
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes ?? Buffer.alloc(0)]);
}

/** One call on a connection of its own, to its end. */
export async function ask(place: Place, method: string, target: string, given: Ask = {}): Promise<WholeAnswer> {
  const client = await RawClient.connect(place);
  try {
    client.send(requestBytes(method, target, given));
    return await client.answer(method);
  } finally {
    client.destroy();
  }
}

/** Docker's multiplexed output, taken apart: `[[stream, text], …]`, with frames of one stream that follow each other joined. */
export function splitFrames(bytes: Buffer): readonly (readonly [number, string])[] {
  const frames: [number, Buffer][] = [];
  for (let at = 0; at < bytes.length; ) {
    if (at + 8 > bytes.length) throw new Error(`a frame is cut: ${bytes.toString('hex')}`);
    const size = bytes.readUInt32BE(at + 4);
    const stream = bytes[at] as number;
    const data = bytes.subarray(at + 8, at + 8 + size);
    const last = frames.at(-1);
    if (last?.[0] === stream) last[1] = Buffer.concat([last[1], data]);
    else frames.push([stream, data]);
    at += 8 + size;
  }
  return frames.map(([stream, data]) => [stream, data.toString()]);
}
