/** Messages for the judges: well-formed ones, and what becomes of them when an attacker has had them. */
import type { Random } from './random.ts';

const TARGETS = [
  '/',
  '/_ping',
  '/v1.51/containers/json?all=1&filters=%7B%7D',
  '/a%2fb',
  '//x',
  '/..',
  '*',
  '/a?b#c',
  '/%zz',
];
const METHODS = ['GET', 'GET', 'POST', 'POST', 'PUT', 'DELETE', 'HEAD', 'OPTIONS', 'PATCH'];
const NAMES = ['X-Registry-Auth', 'Content-Type', 'User-Agent', 'x-a', 'X-A', 'Accept', 'Cookie', 'Te', 'Keep-Alive'];
const VALUES = [
  '',
  'a',
  'application/json',
  'a b\tc',
  '"quoted, list"',
  '\xe9\xff',
  'x'.repeat(300),
  'chunked',
  '5',
  'close',
];
const BODIES = [
  '',
  'a',
  '{}',
  'hello',
  'GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n',
  '0\r\n\r\n',
  '\r\n',
  'x'.repeat(5000),
];

function chunks(random: Random, body: string): string {
  let text = '';
  for (let at = 0; at < body.length; ) {
    const size = Math.min(body.length - at, 1 + random.below(random.chance(0.5) ? 10 : 4000));
    const digits = random.chance(0.3)
      ? size
          .toString(16)
          .toUpperCase()
          .padStart(1 + random.below(4), '0')
      : size.toString(16);
    const extension = random.chance(0.1) ? random.pick([';a', ';a=b', '; a="b"', ';']) : '';
    text += `${digits}${extension}\r\n${body.slice(at, at + size)}\r\n`;
    at += size;
  }
  const trailers = random.chance(0.1) ? 'X-Trailer: a\r\n' : '';
  return `${text}0\r\n${trailers}\r\n`;
}

export function wellFormedRequest(random: Random): string {
  const method = random.pick(METHODS);
  const target = random.pick(TARGETS);
  const minor = random.chance(0.1) ? 0 : 1;
  const fields = [`Host: ${random.pick(['docker', 'localhost:2375', 'api.moby.localhost', ''])}`];
  for (let i = random.below(4); i > 0; i--)
    fields.push(`${random.pick(NAMES)}:${random.pick(['', ' ', '\t '])}${random.pick(VALUES)}`);
  if (random.chance(0.15)) fields.push(`Connection: ${random.pick(['close', 'keep-alive', 'Upgrade', 'x, Close'])}`);
  if (random.chance(0.1)) fields.push(`Upgrade: ${random.pick(['tcp', 'h2c', 'websocket'])}`);
  if (random.chance(0.05)) fields.push('Expect: 100-continue');
  let body = '';
  if (random.chance(0.6)) {
    body = random.pick(BODIES);
    if (minor === 1 && random.chance(0.5)) {
      fields.push(random.pick(['Transfer-Encoding: chunked', 'transfer-encoding:Chunked']));
      body = chunks(random, body);
    } else fields.push(`Content-Length: ${body.length}`);
  }
  for (let i = fields.length - 1; i > 0; i--) {
    const j = random.below(i + 1);
    [fields[i], fields[j]] = [fields[j] as string, fields[i] as string];
  }
  return `${method} ${target === '*' && method !== 'OPTIONS' ? '/' : target} HTTP/1.${minor}\r\n${fields.join('\r\n')}\r\n\r\n${body}`;
}

export function wellFormedAnswer(random: Random): string {
  const status = random.pick([200, 200, 200, 201, 204, 304, 400, 404, 500]);
  const fields: string[] = [];
  for (let i = random.below(4); i > 0; i--) fields.push(`${random.pick(NAMES)}: ${random.pick(VALUES)}`);
  let body = random.pick(BODIES);
  if (status === 204 || status === 304) body = '';
  else if (random.chance(0.4)) {
    fields.push('Transfer-Encoding: chunked');
    body = chunks(random, body);
  } else if (random.chance(0.9)) fields.push(`Content-Length: ${body.length}`);
  return `HTTP/1.1 ${status} ${random.pick(['OK', '', 'Not Found'])}\r\n${fields.map((field) => `${field}\r\n`).join('')}\r\n${body}`;
}

const TOKENS = [
  '\r\n',
  '\n',
  '\r',
  '\r\n\r\n',
  '\n\n',
  ' ',
  '\t',
  '\0',
  '\x0b',
  '\x0c',
  '\x7f',
  '\x80',
  '\xa0',
  ':',
  ',',
  ';',
  '"',
  '0',
  '00',
  '5',
  '+',
  '-',
  '_',
  '0x',
  'x',
  'chunked',
  'identity',
  'gzip, ',
  'Content-Length: 5\r\n',
  'Content-Length: 0\r\n',
  'Transfer-Encoding: chunked\r\n',
  'Transfer-Encoding: x\r\n',
  'Transfer_Encoding: chunked\r\n',
  'Host: y\r\n',
  'HTTP/1.0',
  'HTTP/1.1',
  ' HTTP/1.1\r\n',
  'Connection: close\r\n',
  'Connection: Content-Length\r\n',
  'Expect: 100-continue\r\n',
  'Upgrade: tcp\r\nConnection: Upgrade\r\n',
  '0\r\n\r\n',
  '5\r\nhello\r\n',
  ' folded\r\n',
  'GET / HTTP/1.1\r\nHost: x\r\n\r\n',
  'http://x',
] as const;

/** A few bytes changed, lost, doubled, or put in. */
export function mutate(random: Random, message: string): string {
  let text = message;
  for (let times = 1 + random.below(3); times > 0; times--) {
    // What decides stands in the first kilobyte, or around an end of line.
    const ends = [...text.matchAll(/[\r\n:;, ]/g)].map((match) => match.index);
    const at =
      random.chance(0.6) && ends.length > 0
        ? random.pick(ends) + random.below(3) - 1
        : random.below(Math.min(text.length, 1000) + 1);
    const [before, after] = [text.slice(0, Math.max(at, 0)), text.slice(Math.max(at, 0))];
    const lines = text.split('\r\n');
    switch (random.below(6)) {
      case 0:
        text = before + random.pick(TOKENS) + after;
        break;
      case 1:
        text = before + after.slice(1 + random.below(3));
        break;
      case 2:
        text = before + String.fromCharCode(random.below(256)) + after.slice(1);
        break;
      case 3: {
        const line = random.below(lines.length);
        lines.splice(line, 0, lines[line] as string);
        text = lines.join('\r\n');
        break;
      }
      case 4:
        lines.splice(1 + random.below(Math.min(lines.length, 6)), 0, random.pick(TOKENS).trim());
        text = lines.join('\r\n');
        break;
      default:
        text = before + random.pick(TOKENS) + after.slice(1);
    }
  }
  return text;
}

/** The message in up to four pieces. */
export function cut(random: Random, message: Buffer): Buffer[] {
  const pieces: Buffer[] = [];
  let from = 0;
  for (let i = random.below(4); i > 0; i--) {
    const to = from + random.below(message.length - from + 1);
    if (to > from) pieces.push(message.subarray(from, to));
    from = to;
  }
  pieces.push(message.subarray(from));
  return pieces;
}
