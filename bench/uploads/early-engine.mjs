// An engine that answers in the middle of a body, and then reads on, or stops reading or closes and says so: as dockerd does
// where an archive is no archive, or a container is not there.

import { createServer } from 'node:net';

const BODY = '{"message":"early"}';
const AFTERWARDS = ['read on', 'stop', 'close'];
const VERSION = JSON.stringify({
  ApiVersion: '1.51',
  MinAPIVersion: '1.24',
  Version: '28.5.2',
  Os: 'linux',
  Arch: 'amd64',
});

/** What it does after which bytes is drawn for each request, by `random`. */
export async function startEarlyEngine(path, random) {
  const open = new Set();
  const pick = (list) => list[Math.floor(random() * list.length)];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    socket.on('error', () => {});
    let request = null;
    socket.on('data', (chunk) => {
      request ??= { head: '', seen: 0, answered: false, after: pick([0, 1000, 100_000, 1_000_000]), tail: '' };
      if (!request.head.includes('\r\n\r\n')) request.head += chunk.toString('latin1');
      const headEnd = request.head.indexOf('\r\n\r\n');
      if (headEnd === -1) return;
      request.seen += chunk.length;
      request.tail = `${request.tail}${chunk.toString('latin1', Math.max(0, chunk.length - 7))}`.slice(-7);
      const isWhole = isComplete(request, headEnd);
      if (!request.answered && (isWhole || request.seen > request.after)) {
        request.answered = true;
        answer(socket, request, pick);
      }
      if (isWhole) request = null;
    });
    socket.on('end', () => socket.end());
  });
  await new Promise((resolve) => server.listen(path, resolve));
  const stop = async () => {
    server.close();
    for (const socket of open) socket.destroy();
  };
  return { socket: path, stop };
}

function isComplete({ head, seen, tail }, headEnd) {
  if (/^(GET|HEAD) /.test(head)) return true;
  const length = /^content-length: (\d+)/im.exec(head.slice(0, headEnd))?.[1];
  return length === undefined ? tail === '\r\n0\r\n\r\n' : seen >= headEnd + 4 + Number(length);
}

function answer(socket, { head }, pick) {
  if (/^(GET|HEAD) /.test(head)) {
    const told = head.includes('/version') ? VERSION : 'OK';
    const fields = `Api-Version: 1.51\r\nOstype: linux\r\nContent-Type: application/json\r\nContent-Length: ${told.length}\r\n`;
    socket.write(`HTTP/1.1 200 OK\r\n${fields}\r\n${head.startsWith('HEAD') ? '' : told}`);
    return;
  }
  const then = pick(AFTERWARDS);
  const framed = pick([
    `Content-Length: ${BODY.length}\r\n\r\n${BODY}`,
    `Transfer-Encoding: chunked\r\n\r\n${BODY.length.toString(16)}\r\n${BODY}\r\n0\r\n\r\n`,
  ]);
  const status = pick(['200 OK', '404 Not Found', '400 Bad Request']);
  socket.write(`HTTP/1.1 ${status}\r\n${then === 'read on' ? '' : 'Connection: close\r\n'}${framed}`, () => {
    if (then === 'stop') socket.pause();
    else if (then === 'close') socket.destroy();
  });
}
