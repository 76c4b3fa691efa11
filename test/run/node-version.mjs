// Imported first: where Node.js is older than the tests need, as Debian 12's is, the one that quickstart has installed runs them.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

const [major, minor] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  const folder = '/opt/berthgate/node/node_modules/.bin';
  const newer = `${folder}/node`;
  if (!existsSync(newer)) {
    console.error(
      `The tests need Node.js 20.19 or newer; this is ${process.version}. ./quickstart installs one, as root.`,
    );
    process.exit(1);
  }
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}` };
  process.exit(spawnSync(newer, process.argv.slice(1), { env, stdio: 'inherit' }).status ?? 1);
}
