// Reads one thing again and again over one connection and throws it away: what it costs to read is the same for everybody.
//
//   node bench/cache/reader.mjs http|https PORT PATH SECONDS
//
// Prints a line of JSON: bytes, seconds.

import net from 'node:net';
import tls from 'node:tls';

const [scheme, port, path, seconds] = process.argv.slice(2);
const request = `GET ${path} HTTP/1.1\r\nHost: localhost\r\n\r\n`;
const buffer = Buffer.allocUnsafe(1024 * 1024);
let [left, head, bytes] = [0, '', 0];
const began = performance.now();

const socket = (scheme === 'https' ? tls : net).connect({
  port: Number(port),
  host: '127.0.0.1',
  servername: 'localhost',
  rejectUnauthorized: false,
  onread: {
    buffer,
    callback(count) {
      let at = 0;
      if (left === 0) at = readHead(count);
      left -= count - at;
      bytes += count - at;
      if (left === 0 && head === '') next();
      return true;
    },
  },
});
socket.on(scheme === 'https' ? 'secureConnect' : 'connect', () => socket.write(request));
socket.on('error', (fault) => {
  throw fault;
});
socket.on('close', () => {
  if (left > 0) throw new Error('the body was cut');
});

/** Gives where the body begins in the buffer. */
function readHead(count) {
  head += buffer.latin1Slice(0, count);
  const end = head.indexOf('\r\n\r\n');
  if (end === -1) return count;
  if (!head.startsWith('HTTP/1.1 200')) throw new Error(head);
  left = Number(/^content-length: (\d+)$/im.exec(head)[1]);
  const at = count - (head.length - end - 4);
  head = '';
  return at;
}

function next() {
  const spent = (performance.now() - began) / 1000;
  if (spent < Number(seconds)) return socket.write(request);
  console.log(JSON.stringify({ bytes, seconds: spent }));
  process.exit(0);
}
