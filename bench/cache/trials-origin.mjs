// An origin whose bodies say which file they are of, so that a wrong one is known, and that can be as slow as is wanted.

import http from 'node:http';

/** What `PATH?size=N` must be. */
export function bodyOf(path, size) {
  return Buffer.alloc(size, `${path} `);
}

/** `pieceMs`: after each of `pieces` parts of a body it waits so long. */
export async function startSlowOrigin({ pieces, pieceMs }) {
  const counts = { requests: 0 };
  const pace = { pieces, pieceMs };
  const server = http.createServer((request, response) => {
    counts.requests++;
    const { pathname, searchParams } = new URL(request.url, 'http://origin');
    const body = bodyOf(pathname, Number(searchParams.get('size')));
    const fields = { 'Cache-Control': 'max-age=86400', ETag: `"${request.url}"`, 'Content-Length': body.length };
    const step = Math.ceil(body.length / pace.pieces);
    let at = 0;
    response.writeHead(200, fields);
    const write = () => {
      if (response.destroyed) return;
      response.write(body.subarray(at, at + step));
      at += step;
      if (at >= body.length) response.end();
      else setTimeout(write, pace.pieceMs);
    };
    write();
  });
  // At all addresses of loopback: the cache takes each for an origin of its own.
  server.listen(0, '0.0.0.0', 4096);
  await new Promise((resolve) => server.once('listening', resolve));
  return { port: server.address().port, counts, pace, stop: () => server.close().closeAllConnections() };
}
