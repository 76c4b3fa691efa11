// RED-TEAM 48: a look-up that fails lets nothing pass, and what is put in the place of a thing between look and use is not
// taken for it.
import { afterAll, beforeAll, expect, test } from 'vitest';
import { describeEachEngine, type TestEngine } from '../engines/index.ts';
import { type FailingLookups, type Harm, startFailingLookups } from './failing-lookups.ts';
import { type Asking, asking, made, type Namespaced, namespaced } from './namespaced.ts';

describeEachEngine(
  'a namespace whose engine fails to tell what it has',
  (engine: TestEngine) => {
    const direct = asking(engine.socket);
    let between: FailingLookups;
    let alice: Namespaced | undefined;
    let bob: Namespaced | undefined;
    let web = '';
    let net = '';

    beforeAll(async () => {
      between = await startFailingLookups(engine.socket);
      alice = await namespaced({ ...engine, host: between.host }, 'nla', { policies: [] });
      bob = await namespaced(engine, 'nlb');
      net = await made(bob.ask('POST', '/networks/create', { Name: 'net' }));
      expect((await bob.ask('POST', '/volumes/create', { Name: 'data' })).status).toBe(201);
      const HostConfig = { NetworkMode: 'net', Binds: ['data:/data'], Init: true };
      const body = { Image: 'busybox', Cmd: ['sleep', '600'], HostConfig };
      web = await made(bob.ask('POST', '/containers/create?name=web', body));
      expect((await bob.ask('POST', `/containers/${web}/start`)).status).toBe(204);
    });
    afterAll(async () => {
      if (between !== undefined) between.harm = null;
      await alice?.stop();
      await bob?.stop();
      await between?.close();
    });

    const hers: Asking = (...call) => (alice as Namespaced).ask(...call);

    test.each<readonly [Harm, 'are told' | 'have ended']>([
      ['error', 'are told'],
      ['break', 'are told'],
      ['nonsense', 'are told'],
      ['error', 'have ended'],
      ['break', 'have ended'],
      ['nonsense', 'have ended'],
    ])('lets nothing of another pass: %s, while events %s', async (harm, events) => {
      await made(hers('POST', '/containers/create', { Image: 'busybox' }));
      between.harm = harm;
      if (events === 'have ended') between.endEvents();
      between.passed.length = 0;
      try {
        for (const [method, path, body] of [
          ['GET', `/containers/${web}/json`],
          ['GET', `/containers/${web.slice(0, 12)}/logs?stdout=1`],
          ['GET', `/containers/${web}/archive?path=/data`],
          ['GET', `/containers/${web}/export`],
          ['POST', `/containers/${web}/exec`, { Cmd: ['true'] }],
          ['POST', `/containers/${web}/stop?t=0`],
          ['POST', `/containers/${web}/rename?name=mine`],
          ['DELETE', `/containers/${web}?force=1`],
          ['GET', `/networks/${net}`],
          ['DELETE', `/networks/${net}`],
          ['POST', '/containers/create', { Image: 'busybox', HostConfig: { VolumesFrom: [web] } }],
          ['POST', '/containers/create', { Image: 'busybox', HostConfig: { NetworkMode: `container:${web}` } }],
          ['POST', '/containers/create', { Image: 'busybox', HostConfig: { NetworkMode: net } }],
          ['POST', '/containers/prune'],
        ] as const) {
          const answer = await hers(method, path, body);
          expect(answer.status, `${method} ${path}`).toBeGreaterThanOrEqual(500);
          expect(answer.text).not.toContain(bob?.namespace);
        }
        // Which image a create means is asked by her own name of it, or one that is everybody's.
        const harmless = new RegExp(
          `/(_ping|version|info)$|^GET /v[0-9.]+/images/([0-9.:]+/${alice?.namespace}/docker[.]io/library/)?busybox:latest/json$`,
        );
        expect(between.passed.filter((call) => !harmless.test(call))).toEqual([]);
        // The control: had one been let pass, the engine would have done it.
        for (const path of [`/containers/${web}/json`, `/containers/${web}/archive?path=/data`, `/networks/${net}`]) {
          expect((await asking(between.socket)('GET', path)).status).toBe(200);
        }
      } finally {
        between.harm = null;
      }
      // Once the engine tells again, all is as it was.
      expect((await hers('GET', `/containers/${web}/json`)).status).toBe(404);
      const own = await made(hers('POST', '/containers/create', { Image: 'busybox' }));
      expect((await hers('DELETE', `/containers/${own}`)).status).toBe(204);
    });

    test.each([
      ['DELETE', '?force=1'],
      ['POST', '/start'],
      ['POST', '/rename?name=renamed'],
      ['GET', '/json'],
    ])('is not misled by what takes a name between look and use: %s %s', async (method, what) => {
      const name = `swap-${method}${what.replace(/\W/g, '')}`.toLowerCase();
      const engineName = `${alice?.namespace}.${name}`;
      const id = await made(hers('POST', `/containers/create?name=${name}`, { Image: 'busybox' }));
      let placed = '';
      between.before = async (call) => {
        if (placed !== '' || !call.includes(`/containers/${id}`) || !call.startsWith(method)) return;
        await direct('DELETE', `/containers/${id}`);
        placed = await made(direct('POST', `/containers/create?name=${engineName}`, { Image: 'busybox' }));
      };
      try {
        expect((await hers(method, `/containers/${name}${what}`)).status).toBe(404);
        expect(placed).not.toBe('');
        const there = (await direct('GET', `/containers/${placed}/json`)).json<Record<string, unknown>>();
        expect(there).toMatchObject({ Name: `/${engineName}`, State: { Status: 'created' } });
        // The control: by its name, the engine would have taken it.
        expect((await direct('GET', `/containers/${engineName}/json`)).json<{ Id: string }>().Id).toBe(placed);
      } finally {
        between.before = null;
        await direct('DELETE', `/containers/${placed}?force=1`);
      }
    });
  },
  ({ socket }) => socket !== '',
);
