// How often the engine is asked for the calls of a namespace, and what it says of itself to a client that is not alone.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type Ask, ask, type WholeAnswer } from '../engine/raw-client.ts';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';
import { type CountedEngine, countedEngine } from './namespace-calls.ts';

const run = randomBytes(3).toString('hex');
const mine = `nsc-${run}`;
const CALLS = 500;
const AT_ONCE = 25;

describeEachEngine('the calls of a namespace', (engine: TestEngine) => {
  let counted: CountedEngine | undefined;
  let berthgate: InProcess | undefined;
  let id = '';

  const own = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
    ask(berthgate?.socket ?? '', method, path, more);
  const direct = (method: string, path: string, more?: Ask): Promise<WholeAnswer> =>
    ask(engine.socket, method, path, more);
  const create = async (to: typeof own, name: string, labels: Readonly<Record<string, string>>): Promise<string> => {
    const body = { Image: 'busybox', Cmd: ['sleep', '600'], Labels: labels, HostConfig: { NetworkMode: 'none' } };
    const answer = await to('POST', `/containers/create?name=${name}`, { body });
    expect(answer.status).toBe(201);
    return answer.json<{ Id: string }>().Id;
  };

  beforeAll(async () => {
    counted = await countedEngine(engine.host);
    berthgate = await serveInFrontOf(counted.host, { policies: ['conservative'], namespace: mine });
    id = await create(own, 'web', {});
    expect((await own('POST', '/containers/web/start')).status).toBe(204);
    // What was there when the index began is asked for once; until then the beginning of an id may begin others.
    const byPrefix = () => own('GET', `/containers/${id.slice(0, 12)}/json`);
    while ((await askedFor([byPrefix])).length > 1);
  });

  afterAll(async () => {
    const filters = encodeURIComponent(JSON.stringify({ label: [`nsc=${run}`] }));
    const others = (await direct('GET', `/containers/json?all=1&filters=${filters}`)).json<{ Id: string }[]>();
    for (const { Id } of others) await direct('DELETE', `/containers/${Id}?force=1`);
    for (const { Id } of (await own('GET', '/containers/json?all=1')).json<{ Id: string }[]>()) {
      await own('DELETE', `/containers/${Id}?force=1`);
    }
    await berthgate?.stop();
    await counted?.stop();
  });

  /** What the engine is asked while the calls are made, `AT_ONCE` at a time. */
  async function askedFor(calls: readonly (() => Promise<WholeAnswer>)[]): Promise<readonly string[]> {
    const asked = counted?.asked ?? [];
    const before = asked.length;
    const left = [...calls];
    const work = async (): Promise<void> => {
      for (let call = left.pop(); call !== undefined; call = left.pop())
        expect((await call()).status).toBeLessThan(300);
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    return asked.slice(before);
  }

  test.each([
    ['inspections', 'GET', '/json', (container: string) => `GET /containers/${container}/json`],
    ['logs', 'GET', '/logs?stdout=1', (container: string) => `GET /containers/${container}/logs?stdout=1`],
    ['resizes', 'POST', '/resize?h=24&w=80', (container: string) => `POST /containers/${container}/resize?h=24&w=80`],
  ])(
    '%s by name, id and prefix are the same number of calls of the engine, and no others',
    async (_, method, path, sent) => {
      const spellings = ['web', id, id.slice(0, 12)];
      const calls = Array.from({ length: CALLS }, (_, i) => () => {
        return own(method, `/containers/${spellings[i % spellings.length]}${path}`);
      });
      const asked = await askedFor(calls);
      expect(new Set(asked)).toEqual(new Set([sent(id)]));
      // Who asks the same at the same time shares an answer.
      expect(asked.length).toBeLessThanOrEqual(CALLS);
      expect(asked.length).toBeGreaterThan(0);
    },
  );

  test('a command is looked up once', async () => {
    const made = await own('POST', '/containers/web/exec', { body: { Cmd: ['true'], AttachStdout: true } });
    const exec = made.json<{ Id: string }>().Id;
    const asked = await askedFor(Array.from({ length: 100 }, () => () => own('GET', `/exec/${exec}/json`)));
    expect(asked.filter((line) => line !== `GET /exec/${exec}/json`)).toEqual([]);
    // As many as come at first may find nothing known yet.
    expect(asked.length).toBeLessThanOrEqual(100 + AT_ONCE);
  });

  test('the beginning of several of its ids is ambiguous, and of others it knows nothing', async () => {
    const ids = [id];
    // Seventeen ids cannot all begin differently.
    while (ids.length < 17) ids.push(await create(own, `c${ids.length}`, { nsc: run }));
    const firsts = ids.map((one) => one.charAt(0));
    const doubled = firsts.find((first, i) => firsts.indexOf(first) !== i) as string;
    const answer = await own('GET', `/containers/${doubled}/json`);
    expect(answer.status).toBe(400);
    expect(answer.json()).toEqual({ message: `multiple IDs found with provided prefix: ${doubled}` });
    const control = await direct('GET', `/containers/${doubled}/json`);
    expect(control.text).toMatch(/[Mm]ultiple IDs found with provided prefix/);
    // A container of nobody that begins as one of ours makes nothing ambiguous.
    const alone = ids.find((one) => ids.filter((other) => other.startsWith(one.slice(0, 4))).length === 1) as string;
    expect((await own('GET', `/containers/${alone.slice(0, 4)}/json`)).json<{ Id: string }>().Id).toBe(alone);
  });

  test('the engine counts the containers of the namespace, and the images that they use', async () => {
    const other = await create(direct, `nsc-other-${run}`, { nsc: run });
    try {
      const own_ = (await own('GET', '/containers/json?all=1')).json<{ ImageID: string; State: string }[]>();
      const info = (await own('GET', '/info')).json<Record<string, number>>();
      expect([info.Containers, info.ContainersRunning]).toEqual([own_.length, 1]);
      // Other tests make and remove images all the while.
      const miscounted = async (): Promise<number> => {
        const counted = (await own('GET', '/info')).json<{ Images: number }>().Images;
        return counted - (await own('GET', '/images/json')).json<unknown[]>().length;
      };
      await expect.poll(miscounted, { timeout: 60_000 }).toBe(0);
      const usage = (await own('GET', '/system/df')).json<{ Images: { Id: string; Containers: number }[] }>();
      const used = usage.Images.filter(({ Containers }) => Containers > 0);
      expect(used.map(({ Id, Containers }) => [Id, Containers])).toEqual([[own_[0]?.ImageID, own_.length]]);
    } finally {
      await direct('DELETE', `/containers/${other}?force=1`);
    }
  });
});
