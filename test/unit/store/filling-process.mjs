// Fills a store until it is killed: 300 bodies at once, again and again, each told when it is kept.
import { createHash, randomBytes } from 'node:crypto';
import { FolderStore } from '../../../dist/cache/store/index.js';

const store = await FolderStore.open({ folder: process.argv[2], maxBytes: 2 ** 30 });
let count = 0;

async function fill() {
  for (;;) {
    const bytes = randomBytes(1000 + (count % 300) * 1000);
    const key = `http:${count++}`;
    const one = store.begin();
    for (let at = 0; at < bytes.length; at += 20_000) await one.write(bytes.subarray(at, at + 20_000));
    await one.commit([{ key, variant: '', meta: { status: 200 } }]);
    process.stdout.write(`${key} ${createHash('sha256').update(bytes).digest('hex')}\n`);
  }
}

for (let i = 0; i < 300; i++) void fill();
