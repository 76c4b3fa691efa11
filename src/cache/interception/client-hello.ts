/** The name that a TLS client asks for (RFC 6066, 3), read from its first bytes without ending its TLS. */

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** Key shares and certificates' tickets make some of 10 kB. */
const MOST_BYTES = 64 * 1024;
/** Some cut it into a few; whoever cuts it into bytes has us read it over and over. */
const MOST_RECORDS = 64;
const NAME = /^[a-z0-9_.-]{1,253}$/;

/** `more`: it has not all come yet; `garbage`: no ClientHello. A client may well name nobody. */
export type ClientHello =
  | { readonly kind: 'more' }
  | { readonly kind: 'garbage' }
  | { readonly kind: 'hello'; readonly name: string | null };

const MORE: ClientHello = { kind: 'more' };
const GARBAGE: ClientHello = { kind: 'garbage' };

/** Thrown where the message ends before what it says it has. */
class Short extends Error {}

export function readClientHello(bytes: Buffer): ClientHello {
  const message: Buffer[] = [];
  let begin: Buffer = Buffer.alloc(0);
  let length = 0;
  // The message may be cut into several records, and a record into several packets.
  for (let at = 0; ; ) {
    if (at < bytes.length && bytes[at] !== HANDSHAKE) return GARBAGE;
    if (bytes.length < at + 5) return bytes.length > MOST_BYTES ? GARBAGE : MORE;
    if (bytes[at + 1] !== 3 || message.length === MOST_RECORDS) return GARBAGE;
    const size = bytes.readUInt16BE(at + 3);
    if (size === 0 || size > 2 ** 14 + 256) return GARBAGE;
    const record = bytes.subarray(at + 5, at + 5 + size);
    message.push(record);
    length += record.length;
    at += 5 + size;
    if (begin.length < 4) begin = Buffer.concat([begin, record.subarray(0, 4)]);
    if (length < 4) {
      if (bytes.length < at) return MORE;
      continue;
    }
    if (begin[0] !== CLIENT_HELLO) return GARBAGE;
    const needed = 4 + begin.readUIntBE(1, 3);
    if (needed > MOST_BYTES) return GARBAGE;
    if (length < needed) {
      if (bytes.length < at) return MORE;
      continue;
    }
    return readBody(Buffer.concat(message).subarray(4, needed));
  }
}

function readBody(body: Buffer): ClientHello {
  try {
    const version = 2;
    const random = 32;
    let at = version + random;
    at += 1 + byteAt(body, at);
    at += 2 + wordAt(body, at);
    at += 1 + byteAt(body, at);
    if (at === body.length) return { kind: 'hello', name: null };
    const end = at + 2 + wordAt(body, at);
    for (at += 2; at < end; ) {
      const type = wordAt(body, at);
      const size = wordAt(body, at + 2);
      if (type === SERVER_NAME) return { kind: 'hello', name: nameIn(slice(body, at + 4, size)) };
      at += 4 + size;
    }
    return { kind: 'hello', name: null };
  } catch (fault) {
    if (fault instanceof Short) return GARBAGE;
    throw fault;
  }
}

function nameIn(extension: Buffer): string | null {
  const end = 2 + wordAt(extension, 0);
  for (let at = 2; at < end; ) {
    const type = byteAt(extension, at);
    const size = wordAt(extension, at + 1);
    const name = slice(extension, at + 3, size);
    if (type === HOST_NAME) {
      const said = name.toString('latin1').toLowerCase().replace(/\.$/, '');
      return NAME.test(said) ? said : null;
    }
    at += 3 + size;
  }
  return null;
}

function byteAt(bytes: Buffer, at: number): number {
  if (at >= bytes.length) throw new Short();
  return bytes[at] as number;
}

function wordAt(bytes: Buffer, at: number): number {
  if (at + 2 > bytes.length) throw new Short();
  return bytes.readUInt16BE(at);
}

function slice(bytes: Buffer, at: number, size: number): Buffer {
  if (at + size > bytes.length) throw new Short();
  return bytes.subarray(at, at + size);
}
