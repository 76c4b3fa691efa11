// An origin that has whatever is asked for, in the size that the query says, fresh for a day, and counts.

import http from 'node:http';

const PIECE = Buffer.alloc(256 * 1024, 'berthgate ');

export async function startOrigin() {
  const counts = { requests: 0, bytes: 0 };
  const server = http.createServer((request, response) => {
    const size = Number(new URL(request.url, 'http://origin').searchParams.get('size'));
    counts.requests++;
    counts.bytes += size;
    response.writeHead(200, {
      'Content-Type': 'application/octet-stream',
      'Content-Length': size,
      'Cache-Control': 'public, max-age=86400',
      ETag: `"${request.url.length}-${size}"`,
    });
    let left = size;
    const write = () => {
      while (left > 0) {
        const piece = left < PIECE.length ? PIECE.subarray(0, left) : PIECE;
        left -= piece.length;
        if (!response.write(piece)) return;
      }
      response.end();
    };
    response.on('drain', write);
    write();
  });
  server.keepAliveTimeout = 60_000;
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { port: server.address().port, counts, stop: () => server.close().closeAllConnections() };
}
