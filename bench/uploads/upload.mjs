// One upload by hand, as clients of many kinds do it, and how it ended.

import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import tls from 'node:tls';

const PING = 'GET /_ping HTTP/1.1\r\nHost: docker\r\n\r\n';

/**
 * `at`: `{path}` or `{port, tls}`; `what`: method, path, body, `isRight(status)` and `mayBeCut`. Gives `{outcome, told}`:
 * `ended`, `wrong` (`told` says how) or `hung` (nothing more came until the deadline).
 */
export async function upload({ at }, what, way, { random, deadlineMs }) {
  const socket = at.tls
    ? tls.connect({ host: '127.0.0.1', port: at.port, rejectUnauthorized: false, allowHalfOpen: true })
    : net.connect({ host: '127.0.0.1', ...at, allowHalfOpen: true });
  let where = 'connecting';
  const late = new AbortController();
  const hung = pause(deadlineMs, 'hung', { signal: late.signal }).catch(() => 'over');
  const answers = new Answers(socket);
  const work = async () => {
    await opened(socket, at);
    const leavesAt = way.leaves ? Math.floor(random() * what.body.length) : null;
    where = 'sending';
    const sent = send(socket, answers, what, way, { random, leavesAt });
    if (leavesAt !== null) {
      await sent;
      socket.destroy();
      return null;
    }
    const answer = await answers.next();
    where = 'sending after the answer';
    if (answer !== null && !answer.closes) await sent;
    else void sent;
    if (answer === null) return way.halfClose || what.mayBeCut ? null : 'the connection ended without an answer';
    if (!what.isRight(answer.status)) return `answered ${answer.status} ${answer.body.slice(0, 200)}`;
    if (!way.again || answer.closes || way.halfClose) return null;
    where = 'asking again';
    socket.write(PING);
    const again = await answers.next();
    if (again === null) return 'the connection ended when it was used again';
    return again.status === '200' ? null : `the next answer is ${again.status}`;
  };
  try {
    const told = await Promise.race([work(), hung]);
    if (told === 'hung') return { outcome: 'hung', told: `${where}, ${socket.bytesWritten} bytes written` };
    return told === null ? { outcome: 'ended', told: '' } : { outcome: 'wrong', told };
  } catch (fault) {
    return { outcome: 'wrong', told: `${where}: ${fault.message}` };
  } finally {
    late.abort();
    socket.destroy();
  }
}

function opened(socket, at) {
  return new Promise((resolve, reject) => {
    socket.once(at.tls ? 'secureConnect' : 'connect', resolve);
    socket.once('error', reject);
  });
}

/** Ends also where nobody takes it any more: what that means, the answer says. */
async function send(socket, answers, { method, path, body }, way, { random, leavesAt }) {
  const isChunked = way.framing !== 'length';
  const fields = [
    `${method} ${path} HTTP/1.1`,
    'Host: docker',
    'Content-Type: application/x-tar',
    isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${body.length}`,
    ...(way.expects ? ['Expect: 100-continue'] : []),
    ...(way.framing === 'trailers' ? ['Trailer: X-Checksum'] : []),
  ];
  socket.write(`${fields.join('\r\n')}\r\n\r\n`);
  if (way.readsLate) answers.holdFor(500);
  // RFC 9110 §10.1.1: a client does not wait for ever to be told to continue.
  if (way.expects) await Promise.race([answers.told(), pause(2000, null, { ref: false })]);
  const end = leavesAt ?? body.length;
  for (let from = 0; from < end && !socket.destroyed; from += way.piece) {
    const piece = body.subarray(from, Math.min(end, from + way.piece));
    const extension = way.framing === 'extensions' && from < 100 * way.piece ? ';a=b' : '';
    const parts = isChunked ? [`${piece.length.toString(16)}${extension}\r\n`, piece, '\r\n'] : [piece];
    socket.cork();
    let isTaken = true;
    for (const part of parts) isTaken = socket.write(part);
    socket.uncork();
    if (!isTaken && socket.writableNeedDrain) await drained(socket);
    if (way.pauses && random() < Math.min(1, (3 * way.piece) / body.length)) await pause(random() * 1500);
  }
  if (leavesAt !== null || socket.destroyed) return;
  if (isChunked) socket.write(`0\r\n${way.framing === 'trailers' ? 'X-Checksum: 1\r\n' : ''}\r\n`);
  if (way.halfClose) socket.end();
}

function drained(socket) {
  return new Promise((resolve) => {
    const go = () => {
      for (const event of ['drain', 'close', 'error']) socket.off(event, go);
      resolve();
    };
    for (const event of ['drain', 'close', 'error']) socket.on(event, go);
  });
}

/** The answers on one connection, in their order. */
class Answers {
  constructor(socket) {
    this.socket = socket;
    this.bytes = Buffer.alloc(0);
    this.ended = false;
    this.wakers = new Set();
    socket.on('data', (chunk) => {
      this.bytes = Buffer.concat([this.bytes, chunk]);
      this.wake();
    });
    const end = () => {
      this.ended = true;
      this.wake();
    };
    for (const event of ['end', 'close', 'error']) socket.on(event, end);
  }

  wake() {
    for (const wake of this.wakers) wake();
    this.wakers.clear();
  }

  more() {
    return new Promise((resolve) => this.wakers.add(resolve));
  }

  holdFor(ms) {
    this.socket.pause();
    setTimeout(() => this.socket.resume(), ms);
  }

  async told() {
    while (this.bytes.length === 0 && !this.ended) await this.more();
  }

  /** The next that is final; null where the connection ends before it is whole. */
  async next() {
    for (;;) {
      const read = readAnswer(this.bytes, this.ended);
      if (read !== null) {
        this.bytes = this.bytes.subarray(read.bytes);
        if (!read.status.startsWith('1')) return read;
      } else if (this.ended) return null;
      else await this.more();
    }
  }
}

/** Null where it is not whole. */
function readAnswer(bytes, ended) {
  const headEnd = bytes.indexOf('\r\n\r\n');
  if (headEnd === -1) return null;
  const head = bytes.toString('latin1', 0, headEnd);
  const status = head.slice(9, 12);
  const from = headEnd + 4;
  const closes = /^connection: close/im.test(head);
  if (status.startsWith('1') || status === '204' || status === '304') return { status, closes, bytes: from, body: '' };
  const length = /^content-length: (\d+)/im.exec(head)?.[1];
  let to = null;
  if (length !== undefined) to = from + Number(length);
  else if (/^transfer-encoding: chunked/im.test(head)) {
    const last = bytes.indexOf(
      bytes.toString('latin1', from, from + 3) === '0\r\n' ? '0\r\n\r\n' : '\r\n0\r\n\r\n',
      from,
    );
    if (last !== -1) to = bytes.indexOf('\r\n\r\n', last) + 4;
  } else if (ended) to = bytes.length;
  if (to === null || to > bytes.length) return null;
  return { status, closes, bytes: to, body: bytes.toString('latin1', from, to) };
}
