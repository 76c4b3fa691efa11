// Archives of every kind, also broken ones.

export interface Made {
  readonly name: string;
  readonly content?: string;
  /** Default: a file. */
  readonly type?: string;
  readonly link?: string;
  /** What is written for the size. */
  readonly size?: string;
  /** How a name of more than 100 bytes is said. Default: by PAX. */
  readonly longBy?: string;
  /** Blocks in front of the header. */
  readonly extension?: Buffer;
}

/** `ended`: with the blocks of zeros at the end. */
export function archive(files: readonly Made[], ended = true): Buffer {
  return Buffer.concat([...files.map(entry), Buffer.alloc(ended ? 1024 : 0)]);
}

/** A PAX header of these records, or of that text. */
export function pax(records: Readonly<Record<string, string>>, text?: string): Buffer {
  const lines = Object.entries(records).map(([key, value]) => {
    const rest = ` ${key}=${value}\n`;
    let length = Buffer.byteLength(rest) + 1;
    while (`${length}`.length + Buffer.byteLength(rest) > length) length++;
    return `${length}${rest}`;
  });
  return entry({ name: 'PaxHeaders/x', type: 'x', content: text ?? lines.join('') });
}

function entry({ name, content = '', type = '0', link = '', size, longBy = 'pax', extension }: Made): Buffer {
  const long = Buffer.byteLength(name) > 100;
  const before = long
    ? longBy === 'gnu'
      ? entry({ name: '././@LongLink', type: 'L', content: `${name}\0` })
      : pax({ path: name })
    : Buffer.alloc(0);
  const data = Buffer.from(content);
  const head = Buffer.alloc(512);
  Buffer.from(name).copy(head, 0, 0, 100);
  head.write('0000644\x000000000\x000000000\0', 100, 'latin1');
  head.write(size ?? `${data.length.toString(8).padStart(11, '0')}\0`, 124, 'latin1');
  head.write('00000000000\0        ', 136, 'latin1');
  head.write(type, 156, 'latin1');
  head.write(link, 157);
  head.write('ustar\x0000', 257, 'latin1');
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  return Buffer.concat([
    extension ?? Buffer.alloc(0),
    before,
    head,
    data,
    Buffer.alloc((512 - (data.length % 512)) % 512),
  ]);
}
