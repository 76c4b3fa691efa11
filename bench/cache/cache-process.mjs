// Berthgate's HTTP cache as a process of its own: the code that serves containers, without engines and namespaces.
//
//   node bench/cache/cache-process.mjs FOLDER MAX-BYTES PORT ORIGIN-PORT

import net from 'node:net';
import { HttpCache, HttpCacheTally, HttpFront, Origins, SiteRules } from '../../dist/cache/http/index.js';
import { FolderStore } from '../../dist/cache/store/index.js';
import { WayOut } from '../../dist/wire/way-out.js';

const [folder, maxBytes, port, originPort] = process.argv.slice(2);
const store = await FolderStore.open({ folder, maxBytes: Number(maxBytes) });
const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [] });
const origins = new Origins([{ host: 'files.example.org', origin: new URL(`http://127.0.0.1:${originPort}`) }], wayOut);
const rules = new SiteRules([]);
const tally = new HttpCacheTally();
const cache = new HttpCache({
  store: () => store,
  origins: () => origins,
  tally,
  onServed: ({ url, arrival: { scheme, account } }, kind, bytes) =>
    tally.served({ kind, scheme, host: url.hostname, bytes, account }),
  onFault: (_asked, what, fault) => console.error(`${what}: ${fault.message}`),
});
const front = new HttpFront({ cache, origins: () => origins, rules: () => rules, onRefused: () => {} });
const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) =>
  front.accept(socket, { scheme: 'http', serverName: null, account: null }),
);
server.listen(Number(port), '127.0.0.1');
process.on('SIGTERM', async () => {
  server.close();
  front.close();
  await store.close();
  process.exit(0);
});
