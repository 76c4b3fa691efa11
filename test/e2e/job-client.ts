// An image in which somebody works with a plain docker client, compose and buildx: what a CI job has.
import { randomBytes } from 'node:crypto';
import { cpSync, existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
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
