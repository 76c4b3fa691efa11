// Two namespaces on one engine, each with images of its own, from a real registry that asks for a password.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { serveListeners } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import {
  run as command,
  describeEachEngine,
  docker,
  freePort,
  hasRegistry,
  startRegistry,
  type TestEngine,
  type TestRegistry,
} from '../engines/index.ts';

const HOST = 'r.example.org:5000';
const AUTH = Buffer.from(JSON.stringify({ username: 'alice', password: 'secret' })).toString('base64url');
const run = randomBytes(3).toString('hex');

let registry: TestRegistry | undefined;

beforeAll(async () => {
  if (!hasRegistry()) return;
  const { stdout: htpasswd } = await command('htpasswd', ['-nbB', 'alice', 'secret']);
  registry = await startRegistry({ htpasswd });
});
afterAll(() => registry?.stop());

describe.skipIf(!hasRegistry())('images of namespaces', () => {
  describeEachEngine(
    'on an engine',
    (engine: TestEngine) => {
      type Say = (method: string, path: string, more?: Ask) => Promise<WholeAnswer>;
      const [mine, theirs] = [`img-${run}`, `img-${run}-b`];
      let served: Awaited<ReturnType<typeof serveListeners<'alice' | 'bob'>>> | undefined;
      let gateway = '';
      const to =
        (who: 'alice' | 'bob'): Say =>
        (method, path, more) =>
          ask(served?.sockets[who] ?? '', method, path, more);
      const [alice, bob] = [to('alice'), to('bob')];
      const direct: Say = (method, path, more) => ask(engine.socket, method, path, more);
      const at = (who: 'alice' | 'bob') => ({ host: `unix://${served?.sockets[who]}` });
      const tags = async (say: Say): Promise<readonly string[]> =>
        (await say('GET', '/images/json'))
          .json<{ RepoTags: string[] | null }[]>()
          .flatMap(({ RepoTags }) => RepoTags ?? []);
      const idOf = async (say: Say, name: string): Promise<string> =>
        (await say('GET', `/images/${name}/json`)).json<{ Id: string }>().Id;

      beforeAll(async () => {
        gateway = `127.0.0.1:${await freePort()}`;
        served = await serveListeners(
          engine.host,
          { alice: { namespace: mine }, bob: { namespace: theirs } },
          {
            engines: [{ name: 'engine', url: engine.host, gateway }],
            images: { shared: ['busybox'] },
            registry: { upstreams: [{ host: HOST, url: registry?.url }] },
          },
        );
        // An image that nobody has yet, with one layer of its own.
        const private_ = `${gateway}/${mine}/r.example.org__5000/team/app-${engine.name}:1`;
        await docker(engine, ['build', '-q', '--no-cache', '-t', private_, '-'], {
          input: `FROM busybox\nRUN echo ${run} >/whose\nLABEL run=${run}\n`,
          env: { DOCKER_BUILDKIT: '0' },
        });
      });

      afterAll(async () => {
        for (const say of [alice, bob]) {
          for (const { Id } of (await say('GET', '/containers/json?all=1')).json<{ Id: string }[]>())
            await say('DELETE', `/containers/${Id}?force=1`);
        }
        const images = (await direct('GET', '/images/json')).json<{ RepoTags: string[] | null }[]>();
        for (const tag of images.flatMap(({ RepoTags }) => RepoTags ?? []))
          if (tag.startsWith(`${gateway}/`)) await direct('DELETE', `/images/${tag}?force=1`);
        await served?.stop();
      });

      const app = `${HOST}/team/app-${engine.name}`;

      test('an image is listed, inspected, run, tagged, pushed and removed by its own name', async () => {
        expect(await tags(alice)).toContain(`${app}:1`);
        expect(await tags(alice)).toContain('busybox:latest');
        const inspected = (await alice('GET', `/images/${app}:1/json`)).text;
        expect(inspected).toContain(`"${app}:1"`);
        expect(inspected).not.toContain(gateway);
        const out = await docker(at('alice'), ['run', '--rm', `${app}:1`, 'cat', '/whose']);
        expect(out).toBe(run);
        await docker(at('alice'), ['run', '-d', '--name', 'app', `${app}:1`, 'sleep', '600']);
        expect(await docker(at('alice'), ['ps', '--format', '{{.Image}}'])).toBe(`${app}:1`);
        expect(await docker(at('alice'), ['inspect', '-f', '{{.Config.Image}}', 'app'])).toBe(`${app}:1`);
        expect(await docker(at('alice'), ['ps', '-q', '-f', `ancestor=${app}:1`])).not.toBe('');
        expect(await docker(at('alice'), ['ps', '-q', '-f', 'ancestor=absent'])).toBe('');
        await docker(at('alice'), ['rm', '-f', 'app']);
        await docker(at('alice'), ['tag', `${app}:1`, 'mine:2']);
        expect(await tags(alice)).toContain('mine:2');
        const history = (await alice('GET', '/images/mine:2/history')).text;
        expect(history).toContain('mine:2');
        expect(history).not.toContain(gateway);
        const pushed = await alice('POST', `/images/${app}/push?tag=1`, { headers: { 'X-Registry-Auth': AUTH } });
        expect(pushed.text).toContain('digest: sha256:');
        expect(pushed.text).not.toMatch(/127\.0\.0\.1|img-/);
        const removed = await alice('DELETE', '/images/mine:2');
        expect(removed.json()).toEqual([{ Untagged: 'mine:2' }]);
      });

      test('a pull needs the credentials that the registry wants, and speaks the name that was said', async () => {
        const pull = (say: Say, auth?: string) =>
          say('POST', `/images/create?fromImage=${encodeURIComponent(app)}&tag=1`, {
            headers: auth === undefined ? {} : { 'X-Registry-Auth': auth },
          });
        for (const auth of [undefined, Buffer.from('{"username":"alice","password":"no"}').toString('base64url')]) {
          const denied = await pull(bob, auth);
          expect(`${denied.status} ${denied.text}`).toMatch(/denied|unauthorized|no basic auth|401/i);
          expect(denied.text).not.toMatch(/127\.0\.0\.1|img-/);
          expect(await tags(bob)).not.toContain(`${app}:1`);
        }
        const pulled = await pull(bob, AUTH);
        expect(pulled.text).toContain(`Pulling from team/app-${engine.name}`);
        expect(pulled.text).toContain(`for ${app}:1`);
        expect(pulled.text).not.toMatch(/127\.0\.0\.1|img-/);
        expect(await tags(bob)).toContain(`${app}:1`);
        const distribution = await bob('GET', `/distribution/${app}:1/json`, { headers: { 'X-Registry-Auth': AUTH } });
        expect(distribution.text).toContain('sha256:');
        expect((await bob('GET', `/distribution/${app}:1/json`)).status).toBeGreaterThanOrEqual(400);
        expect((await bob('DELETE', `/images/${app}:1`)).status).toBe(200);
      });

      test('a command that wants an image which is not there hears so in the words of an engine', async () => {
        const answer = await alice('POST', '/containers/create', { body: { Image: 'absent' } });
        expect([answer.status, answer.json()]).toEqual([404, { message: 'No such image: absent:latest' }]);
        const pull = await docker(at('alice'), ['run', '--rm', `${HOST}/team/absent`]).catch(
          (fault: Error) => fault.message,
        );
        expect(pull).toMatch(/denied|unauthorized|not found|no basic auth/);
        expect(pull).not.toMatch(/127\.0\.0\.1|img-/);
      });

      test("another's image is not there: by name, id, the beginning of one, nor by what the engine calls it", async () => {
        const id = await idOf(alice, `${app}:1`);
        const engineName = `${gateway}/${mine}/r.example.org__5000/team/app-${engine.name}:1`;
        const spellings = [`${app}:1`, id, id.slice(7), id.slice(7, 19), engineName];
        // The control: the engine knows all of them but the client's.
        for (const spelling of spellings.slice(1))
          expect((await direct('GET', `/images/${spelling}/json`)).status).toBe(200);
        for (const spelling of spellings) {
          for (const path of ['json', 'history'])
            expect((await bob('GET', `/images/${spelling}/${path}`)).status).toBe(404);
          expect((await bob('DELETE', `/images/${spelling}?force=1`)).status).toBe(404);
          expect((await bob('POST', `/images/${spelling}/tag?repo=stolen`)).status).toBe(404);
          expect((await bob('POST', '/containers/create', { body: { Image: spelling } })).status).toBe(404);
          const Mounts = [{ Type: 'image', Source: spelling, Target: '/stolen' }];
          const mounted = await bob('POST', '/containers/create', {
            body: { Image: 'busybox', HostConfig: { Mounts } },
          });
          expect(mounted.status).toBeGreaterThanOrEqual(400);
          expect((await bob('GET', `/images/json?filters=${filters({ before: [spelling] })}`)).status).toBe(404);
          expect(
            (await bob('GET', `/containers/json?all=1&filters=${filters({ ancestor: [spelling] })}`)).json(),
          ).toEqual([]);
        }
        expect((await bob('GET', '/images/json?all=1')).text).not.toContain(run);
        expect((await bob('GET', '/system/df')).text).not.toContain(run);
        expect((await bob('GET', `/images/json?filters=${filters({ label: [`run=${run}`] })}`)).json()).toEqual([]);
        expect((await alice('GET', `/images/json?filters=${filters({ label: [`run=${run}`] })}`)).json()).toHaveLength(
          1,
        );
      });

      test('what is removed by id is taken from its namespace alone', async () => {
        for (const [who, name] of [
          ['alice', 'both:1'],
          ['bob', 'both:1'],
          ['alice', 'more:1'],
        ] as const)
          await docker(at(who), ['tag', 'busybox', name]);
        const id = await idOf(bob, 'both:1');
        expect((await alice('DELETE', `/images/${id}`)).status).toBe(409);
        const removed = (await alice('DELETE', `/images/${id}?force=1`)).json<{ Untagged?: string }[]>();
        expect(removed.map(({ Untagged }) => Untagged).sort()).toEqual(['both:1', 'more:1']);
        expect(await tags(bob)).toContain('both:1');
        expect((await direct('GET', '/images/busybox/json')).status).toBe(200);
        // By its own name it is shared, and stays.
        const refused = await alice('DELETE', '/images/busybox');
        expect([refused.status, refused.text]).toEqual([403, expect.stringContaining('shared')]);
        expect((await alice('POST', '/images/prune')).status).toBe(200);
        expect(await tags(bob)).toContain('both:1');
        await bob('DELETE', '/images/both:1');
      });

      test('a name that moves on leaves an image without one, which a prune removes', async () => {
        const own = await idOf(alice, `${app}:1`);
        await alice('POST', `/images/${app}:1/tag?repo=moving`);
        await alice('DELETE', `/images/${app}:1`);
        await alice('POST', '/images/busybox/tag?repo=moving');
        const listed = (await alice('GET', `/images/json?filters=${filters({ dangling: ['true'] })}`)).json<
          { Id: string; RepoTags: string[] }[]
        >();
        expect(
          listed.map(({ Id, RepoTags }) => [Id, (RepoTags ?? []).filter((tag) => tag !== '<none>:<none>')]),
        ).toEqual([[own, []]]);
        expect((await bob('GET', `/images/${own}/json`)).status).toBe(404);
        const pruned = (await alice('POST', '/images/prune')).json<{ ImagesDeleted: { Deleted?: string }[] }>();
        expect(pruned.ImagesDeleted.map(({ Deleted }) => Deleted)).toContain(own);
        expect((await alice('GET', `/images/${own}/json`)).status).toBe(404);
        await alice('DELETE', '/images/moving');
      });

      test('lists are filtered by the names that the client knows', async () => {
        await alice('POST', '/images/busybox/tag?repo=team/one&tag=1');
        await alice('POST', '/images/busybox/tag?repo=team/two&tag=1');
        const found = async (reference: string) =>
          (await alice('GET', `/images/json?filters=${filters({ reference: [reference] })}`))
            .json<{ RepoTags: string[] }[]>()
            .flatMap(({ RepoTags }) => RepoTags)
            .sort();
        expect(await found('team/*')).toEqual(['team/one:1', 'team/two:1']);
        expect(await found('team/one')).toEqual(['team/one:1']);
        expect(await found('*')).toEqual(['busybox:latest']);
        expect(await found(`${gateway}/*/*/*/*`)).toEqual([]);
        await alice('DELETE', '/images/team/one:1');
        await alice('DELETE', '/images/team/two:1');
      });
    },
    (engine) => engine.socket !== '',
  );
});

function filters(said: Readonly<Record<string, readonly string[]>>): string {
  return encodeURIComponent(JSON.stringify(said));
}
