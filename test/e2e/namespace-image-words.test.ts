// What docker commands say about images in a namespace is, word for word, what they say on an engine of one's own, and
// nothing of it names the gateway, a capability or the namespace.
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  run as command,
  compareVersions,
  dockerCli,
  hasRegistry,
  newestEngine,
  startRegistry,
  type TestRegistry,
} from '../engines/index.ts';
import { describeImageUsers } from './image-users.ts';

let registry: TestRegistry | undefined;
const scratch = mkdtempSync(join(tmpdir(), 'berthgate-words-'));
beforeAll(async () => {
  if (!hasRegistry()) return;
  registry = await startRegistry();
});
afterAll(async () => {
  rmSync(scratch, { recursive: true, force: true });
  await registry?.stop();
});

/** Longer than an engine's name may be with what comes before it. */
const LONG = `r.example.org/${'a-long-name/'.repeat(18)}app`;
const UPPER = 'Registry.Example.org:5000';
const NOWHERE = 'registry.invalid/x';

describeImageUsers(
  'words about images',
  ({ engine, at, run, gateway, alice }) => {
    interface Told {
      /** The same on an engine of one's own. */
      readonly same: readonly string[];
      readonly all: string;
    }

    const isNew = compareVersions(engine.apiVersion, '1.43') >= 0;

    async function told(target: { readonly host: string }, where: 'a' | 'b'): Promise<Told> {
      const mine = `${run}-${where}`;
      const folder = mkdtempSync(join(scratch, where));
      const app = `${registry?.host}/team/${mine}`;
      const same: string[] = [];
      const all: string[] = [];
      const steady = (text: string): string =>
        [
          [new RegExp(mine, 'g'), 'OWN'],
          [/\b[0-9a-f]{64}\b/g, 'ID'],
          [/\b[0-9a-f]{12}\b/g, 'id'],
          [/\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(\.\d+)?( ?[+-]\d\d:?\d\d( UTC)?|Z| UTC)?/g, 'TIME'],
          [/ \d+\.\ds\b| done$/gm, ''],
          [/^#\d+ /gm, '#'],
          [/ {2,}/g, ' '],
          [/\b(Less than a second|About a minute|\d+ (seconds?|minutes?|hours?))( ago)?/g, 'AGO'],
        ].reduce((said, [pattern, word]) => said.replace(pattern as RegExp, word as string), text);
      const does = async (args: readonly string[], { input = '', env = {}, differs = false, own = false } = {}) => {
        const given = { DOCKER_BUILDKIT: '0', ...env };
        const { code, stdout, stderr } = await dockerCli(target, args, { input, cwd: folder, env: given });
        all.push(`$ docker ${args.join(' ')}\n${stdout}${stderr}`);
        // What is shown of a progress depends on how fast it is.
        const lines = steady(`${stdout}${stderr}`)
          .split('\n')
          .filter((line) => !/: (Verifying Checksum|Download complete|Waiting)$/.test(line));
        // Others have images, and do things with them, meanwhile.
        const shown = own ? lines.filter((line) => line.includes('OWN')) : lines;
        if (!differs)
          same.push(
            `$ docker ${steady(args.join(' '))} (${code})\n${(own ? [...new Set(shown)].sort() : shown).join('\n')}`,
          );
        return stdout.trim();
      };
      const docker = (...args: readonly string[]) => does(args);
      const image = ['--format', '{{json .RepoTags}} {{json .RepoDigests}} {{json .Config}} {{.Author}}|{{.Comment}}'];
      const since = Date.now() / 1000;

      await docker('pull', `${app}:none`);
      await docker('run', '--rm', `${app}:none`);
      // A layer that nobody has.
      writeFileSync(join(folder, 'file'), randomBytes(8));
      await command('tar', ['-c', '-f', join(folder, 'files.tar'), '-C', folder, 'file']);
      const changes = [`LABEL by=${mine}`, 'CMD ["echo", "run"]'].flatMap((one) => ['--change', one]);
      await docker('import', ...changes, '--message', 'made', 'files.tar', `${app}:1`);
      // Whoever is asked first says that there is nobody: an engine, or Berthgate.
      await does(['pull', NOWHERE], { differs: true });
      await does(['build', '-'], { input: `FROM ${NOWHERE}\n`, differs: true });
      await docker('tag', `${app}:1`, NOWHERE);
      await does(['push', NOWHERE], { differs: true });
      await docker('rmi', NOWHERE);
      await docker('push', `${app}:1`);
      await docker('push', `${app}:none`);
      await docker('tag', `${app}:1`, `${app}:2`);
      await docker('push', '--all-tags', app);
      const digest = await docker('image', 'inspect', '--format', '{{index .RepoDigests 0}}', `${app}:1`);
      await docker('rmi', `${app}:1`, `${app}:2`);
      for (const args of [[`${app}:1`], [`${app}:1`], [digest], ['--all-tags', app]]) await docker('pull', ...args);
      await docker('image', 'inspect', ...image, `${app}:1`, digest);
      await docker('image', 'ls', '--digests', app);
      await docker('image', 'ls', '--filter', `reference=${registry?.host}/team/${run}*:2`, '--format', '{{json .}}');
      await docker('image', 'ls', '--filter', `label=by=${mine}`, '--format', '{{.Repository}}:{{.Tag}}');
      await docker('history', '--no-trunc', `${app}:1`);
      await docker('create', '--name', mine, digest);
      await docker('ps', '--all', '--filter', `name=${mine}`, '--format', '{{.Image}} {{.Names}}');
      await docker('ps', '--all', '--filter', `ancestor=${app}:1`, '--format', '{{.Image}}');
      await docker('inspect', '--format', '{{.Image}} {{.Config.Image}} {{json .Config.Labels}}', mine);
      await docker('rmi', digest);
      await docker('rmi', `${app}:1`);
      await docker('commit', mine, `${app}:made`);
      await docker('rm', mine);
      await docker('save', '--output', `${mine}.tar`, `${app}:made`, `${app}:2`);
      await docker('rmi', `${app}:made`);
      // In any order.
      for (let times = 0; times < 2; times++) await does(['load', '--input', `${mine}.tar`], { own: true });
      const names = [LONG, `${UPPER}/${mine}:UPPER`, ...(isNew ? [`[2001:db8::1]:5000/${mine}`] : []), mine];
      for (const name of [...names, 'bad@sha256:x', 'not/IT']) await docker('tag', `${app}:2`, name);
      await docker('image', 'inspect', '--format', '{{json .RepoTags}}', `${app}:2`);
      await docker('image', 'ls', '--format', '{{.Repository}}:{{.Tag}}', '--filter', `reference=${UPPER}/*`);
      for (const name of [mine, 'busybox']) {
        await docker('create', '--name', mine, name);
        await docker('ps', '--all', '--filter', `name=${mine}`, '--format', '{{.Image}} {{.Names}}');
        await docker('inspect', '--format', '{{.Config.Image}}', mine);
        await docker('rm', mine);
      }
      await docker('rmi', ...names);
      if (isNew) {
        writeFileSync(join(folder, 'Dockerfile'), `FROM ${app}:2\nCOPY --from=${app}:made /file /other\n`);
        const given = ['--no-cache', '--provenance=false', '--progress', 'plain', '--tag', `${app}:built`];
        await does(['build', ...given, '.'], { env: { DOCKER_BUILDKIT: '1' }, own: true });
        await docker('rmi', `${app}:built`);
      }
      const service = (tag: string) => `{image: "${app}:${tag}", network_mode: none}`;
      writeFileSync(
        join(folder, 'compose.yaml'),
        `name: "${mine}"\nservices: {one: ${service('2')}, two: ${service('none')}}\n`,
      );
      await docker('compose', 'pull', '--quiet', 'two');
      await docker('compose', 'create', '--quiet-pull', 'one');
      await docker('compose', 'ps', '--all', '--format', '{{.Image}} {{.Name}} {{.Service}}');
      await docker('compose', 'images', 'one');
      await does(['compose', 'down'], { differs: true });
      const rows = '{{range .Images}}{{.Repository}}:{{.Tag}}\n{{end}}';
      await does(['system', 'df', '--verbose', '--format', rows], { own: true });
      const until = Date.now() / 1000;
      await does(['events', '--since', `${since}`, '--until', `${until}`, '--filter', 'type=image'], { differs: true });
      // An image that was loaded in a namespace is no child of another one.
      await does(['rmi', `${app}:2`, `${app}:made`], { differs: true });
      return { same, all: all.join('\n') };
    }

    test.skipIf(!hasRegistry())('are the same, and name nothing that is ours', async () => {
      const [straight, through] = await Promise.all([told(engine, 'a'), told(at('alice'), 'b')]);
      expect(through.all).not.toContain(gateway());
      expect(through.all).not.toMatch(/im-|u_image|\b[chsx]_[0-9a-f]{8}|127\.0\.0\.[2-9]/);
      expect(through.same).toEqual(straight.same);
      // What is shared is there, and nothing else is left.
      const left = (await alice('GET', '/images/json?all=1')).json<{ RepoTags: string[] }[]>();
      expect(left.map(({ RepoTags }) => RepoTags)).toEqual([['busybox:latest']]);
    });
  },
  {
    site: () => ({ registry: { upstreams: [{ host: registry?.host, url: registry?.url }] } }),
    where: ({ name }) => name === newestEngine()?.name,
  },
);
