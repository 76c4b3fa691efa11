// Berthgate's HTTP cache as a process of its own: the code that serves containers, without engines and namespaces.
//
//   node bench/cache/cache-process.mjs FOLDER MAX-BYTES PORT TLS-PORT ORIGIN-PORT

import net from 'node:net';
import { HttpCache, HttpCacheTally, HttpFront, Origins, SiteRules } from '../../dist/cache/http/index.js';
import { Authority, CacheFront } from '../../dist/cache/interception/index.js';
import { FolderStore } from '../../dist/cache/store/index.js';
import { WayOut } from '../../dist/wire/way-out.js';

const HOST = 'localhost';
const [folder, maxBytes, port, tlsPort, originPort] = process.argv.slice(2);
const store = await FolderStore.open({ folder, maxBytes: Number(maxBytes) });
const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [] });
/** To one origin there are not more than some connections at a time; more of them are as many origins. */
const others = Array.from({ length: 20 }, (_, i) => ({
  host: `h${i}.${HOST}`,
  origin: new URL(`http://127.0.0.${i + 2}:${originPort}`),
}));
const origins = new Origins([{ host: HOST, origin: new URL(`http://127.0.0.1:${originPort}`) }, ...others], wayOut);
const rules = new SiteRules([]);
const tally = new HttpCacheTally();
const cache = new HttpCache({
  store: () => store,
  origins: () => origins,
  tally,
  onServed: ({ arrival: { scheme } }, kind, bytes) => tally.served({ kind, scheme, bytes }),
  onFault: (_asked, what, fault) => console.error(`${what}: ${fault.message}`),
});
const front = new HttpFront({ cache, origins: () => origins, rules: () => rules, onRefused: () => {} });
const day = 86_400_000;
const authority = new Authority({ folder: `${folder}-ca`, lifeMs: 7 * day, rotateMs: 2 * day, hosts: [HOST] }, refused);
const sockets = new CacheFront({
  hosts: [{ host: HOST, tls: 'intercept' }],
  authority,
  http: front,
  tunnel: () => Promise.reject(new Error('nothing passes here')),
  trusts: () => true,
  onDistrust: (host) => refused(new Error(`${host}: nobody trusts us`)),
  onFault: (_host, fault) => refused(fault),
});
const options = { allowHalfOpen: true, pauseOnConnect: true, noDelay: true };
const servers = [
  net.createServer(options, (socket) => sockets.acceptPlain(socket)).listen(Number(port), '127.0.0.1'),
  net.createServer(options, (socket) => sockets.acceptTls(socket, true)).listen(Number(tlsPort), '127.0.0.1'),
];
process.on('SIGTERM', async () => {
  for (const server of servers) server.close();
  sockets.close();
  authority.end();
  front.close();
  await store.close();
  process.exit(0);
});

function refused(fault) {
  console.error(fault.message);
}
