// An image in which somebody works with a plain docker client, compose and buildx: what a CI job has.
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { run as command, docker, type TestEngine } from '../engines/index.ts';
import { treesFolder } from '../engines/places.ts';

const tree = join(treesFolder, '28.5');
const plugins = '/usr/libexec/docker/cli-plugins';

/** Whether there is a client to put into an image. */
export const hasJobClient = existsSync(join(tree, 'usr/bin/docker'));

/** Its name on the engine; whoever makes it removes it. */
export async function makeJobClient(engine: TestEngine): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-client-'));
  const id = randomBytes(4).toString('hex');
  const [image, container] = [`job-client-${id}:1`, `job-client-${id}`];
  try {
    for (const program of ['/usr/bin/docker', `${plugins}/docker-compose`, `${plugins}/docker-buildx`]) {
      await copyProgram(program, folder);
    }
    symlinkSync('data/workspace', join(folder, 'workspace'));
    await docker(engine, ['create', '--name', container, 'busybox']);
    await docker(engine, ['cp', `${folder}/.`, `${container}:/`]);
    await docker(engine, ['commit', container, image]);
    return image;
  } finally {
    await docker(engine, ['rm', container]);
    rmSync(folder, { recursive: true });
  }
}

/** With the libraries that it asks for, under the paths that the tree has them at. */
async function copyProgram(program: string, folder: string): Promise<void> {
  const { stdout } = await command('chroot', [tree, '/usr/bin/ldd', program]);
  const libraries = [...stdout.matchAll(/(?:=> |^\s*)(\/\S+) \(/gm)].map((found) => found[1] as string);
  for (const file of [program, ...libraries]) {
    const into = join(folder, dirname(file));
    mkdirSync(into, { recursive: true });
    const from = join(tree, file);
    if (existsSync(from)) cpSync(from, join(into, basename(file)), { dereference: true });
  }
}

const modules = fileURLToPath(new URL('../../node_modules', import.meta.url));

/** What a job client lacks to run programs of Node with a package: to be copied to `/`. The caller removes the folder. */
export async function makeNodeFolder(packageName: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'berthgate-node-'));
  const put = (file: string, at: string): void => {
    mkdirSync(join(folder, dirname(at)), { recursive: true });
    cpSync(file, join(folder, at), { dereference: true });
  };
  put(process.execPath, '/usr/bin/node');
  const { stdout } = await command('ldd', [process.execPath]);
  // The C library is the client's own, which is newer.
  for (const [, file] of stdout.matchAll(/=> (\/\S+) \(/g))
    if (!/libc\.so/.test(file as string)) put(file as string, file as string);
  for (const name of needed(packageName)) {
    const filter = (file: string): boolean => !/\.(ts|map|md)$/.test(file);
    cpSync(join(modules, name), join(folder, 'app/node_modules', name), { recursive: true, filter });
  }
  return folder;
}

/** The packages that one needs, itself among them, as far as they lie beside each other. */
function needed(packageName: string): ReadonlySet<string> {
  const found = new Set<string>();
  const look = (folder: string): void => {
    const { dependencies = {} } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const own = join(folder, 'node_modules');
    const names = existsSync(own) ? packagesIn(own) : [];
    for (const name of names) look(join(own, name));
    for (const name of Object.keys(dependencies)) {
      if (names.includes(name) || name.startsWith('@types/')) continue;
      if (found.has(name) || !existsSync(join(modules, name))) continue;
      found.add(name);
      look(join(modules, name));
    }
  };
  found.add(packageName);
  look(join(modules, packageName));
  return found;
}

function packagesIn(folder: string): readonly string[] {
  return readdirSync(folder).flatMap((name) =>
    name.startsWith('@')
      ? readdirSync(join(folder, name)).map((inner) => `${name}/${inner}`)
      : name.startsWith('.')
        ? []
        : [name],
  );
}
