// Berthgate's registry mirror as a process of its own: the code that serves engines, without engines and namespaces.
//
//   node bench/registry/mirror-process.mjs FOLDER PORT REGISTRY REGISTRY-URL

import net from 'node:net';
import { CachedRegistries, Mirror, MirrorTally, Registries, TagRules } from '../../dist/cache/registry/index.js';
import { FolderStore } from '../../dist/cache/store/index.js';
import { WayOut } from '../../dist/wire/way-out.js';

const [folder, port, host, url] = process.argv.slice(2);
const onFault = (registry, fault) => console.error(`${registry}: ${fault.message}`);
const store = await FolderStore.open({ folder, maxBytes: 2 ** 36 });
const wayOut = new WayOut({ proxy: null, noProxy: [], ca: [], allowPrivate: [] });
const upstreams = [{ host, url, private: false, realms: [] }];
const registries = new Registries({ upstreams, allow: ['*'] }, wayOut);
const tally = new MirrorTally(() => {});
const cached = new CachedRegistries({
  store,
  registries,
  tagRules: new TagRules([]),
  staleMs: 7 * 86_400_000,
  tally,
  onFault,
});
const mirror = new Mirror({ upstream: () => cached, tally, onFault, login: null });
const options = { allowHalfOpen: true, noDelay: true };
const server = net.createServer(options, (socket) => mirror.accept(socket)).listen(Number(port), '127.0.0.1');
process.on('SIGTERM', async () => {
  server.close();
  mirror.close();
  await wayOut.close();
  await store.close();
  process.exit(0);
});
