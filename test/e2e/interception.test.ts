// Containers of a listener with `cache` ask the cache without being told, and show nothing of it. On every engine.
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { type CommandResult, describeEachEngine, docker, dockerCli, freePort, newestEngine } from '../engines/index.ts';
import {
  BODY_HASH,
  bundleOf,
  fetchScript,
  HOST,
  type Layout,
  makeImage,
  PINNED,
  PINS,
  type Site,
  startSite,
  takeAddress,
  takeIpv6Address,
} from './cached-site.ts';

const all: readonly Layout[] = ['debian', 'alpine', 'fedora', 'suse', 'none'];

describeEachEngine(
  'the cache, as containers meet it',
  (engine) => {
    // Where systems keep what they trust is no matter of the engine: one of them has it all tried.
    const newest = engine.name === newestEngine()?.name;
    const layouts = newest ? all : all.slice(0, 1);
    const run = `ca-${randomBytes(3).toString('hex')}`;
    const imageOf = (layout: Layout): string => `${run}:${layout}`;
    const given: (() => Promise<void>)[] = [];
    let site: Site;
    let berthgate: InProcess;
    let metricsPort = 0;
    let store = '';
    let address = '';
    let address6 = '';
    let passAddress = '';
    const through = (args: readonly string[], timeoutMs = 60_000): Promise<CommandResult> =>
      dockerCli(`unix://${berthgate.socket}`, args, { timeoutMs });
    const ok = async (args: readonly string[]): Promise<string> => docker(`unix://${berthgate.socket}`, args);
    const page = async (path: string): Promise<string> =>
      (await fetch(`http://127.0.0.1:${metricsPort}${path}`)).text();
    const intercepted = async (): Promise<number> =>
      Number(/tls_connections_total\{done="intercepted"\} (\d+)/.exec(await page('/metrics'))?.[1]);

    const refused = async (): Promise<number> =>
      Number(/handshakes_refused_total\{host="archive.example.org"\} (\d+)/.exec(await page('/metrics'))?.[1] ?? 0);

    beforeAll(async () => {
      site = await startSite();
      store = mkdtempSync(join(tmpdir(), 'berthgate-store-'));
      for (const layout of layouts) await makeImage(engine, imageOf(layout), layout, site.ca);
      const [own, pass] = [await takeAddress(engine, 1), await takeAddress(engine, 2)];
      const own6 = await takeIpv6Address(engine, 1);
      given.push(own.give, pass.give, own6.give);
      ({ address } = own);
      address6 = own6.address;
      passAddress = pass.address;
      berthgate = await start();
    });
    const start = async (): Promise<InProcess> => {
      metricsPort = await freePort();
      return serveInFrontOf(
        engine.host,
        { cache: true },
        {
          outbound: site.outbound,
          cache: {
            store,
            address: [address, address6],
            passAddress: [passAddress],
            hosts: [HOST, { host: PINNED, tls: 'pass' }],
          },
          admin: { metrics: `http://127.0.0.1:${metricsPort}` },
          log: { audit: join(store, 'audit.jsonl') },
        },
      );
    };
    afterAll(async () => {
      await berthgate?.stop();
      site?.stop();
      rmSync(store, { recursive: true, force: true });
      for (const give of given) await give();
      const left = await docker(engine, ['ps', '-aq', '--filter', `name=${run}`]);
      if (left !== '') await docker(engine, ['rm', '-f', ...left.split('\n')]);
      const images = await docker(engine, ['images', '-q', run]);
      if (images !== '') await docker(engine, ['rmi', '-f', ...new Set(images.split('\n'))]);
    });

    test.each(layouts)('a container made as %s asks over TLS, and trusts what answers', async (layout) => {
      const before = await intercepted();
      const script = fetchScript(bundleOf[layout], '/pool/a.deb');
      const got = await through(['run', '--rm', imageOf(layout), 'sh', '-c', script]);
      expect(got.stdout, got.stderr).toContain(BODY_HASH);
      expect(await intercepted()).toBe(before + 1);
      // The control: without the cache's CA it would have been refused, as by a container that the engine made itself.
      const hosts = ['--add-host', `${HOST}:${address}`];
      const bare = await dockerCli(engine, ['run', '--rm', ...hosts, imageOf(layout), 'sh', '-c', script]);
      expect(bare.stdout).not.toContain(BODY_HASH);
    });

    test('plain HTTP comes over the cache, too, and so does an explicit proxy', async () => {
      const plain = `wget -q -O - http://${HOST}/plain | sha256sum`;
      const tunnel = fetchScript(bundleOf.debian, '/tunnel').replace('-connect', `-proxy ${address}:80 -connect`);
      const before = await intercepted();
      const got = await through(['run', '--rm', imageOf('debian'), 'sh', '-c', `${plain}; ${tunnel}`]);
      expect(got.stdout.split(BODY_HASH), got.stderr).toHaveLength(3);
      expect(await intercepted()).toBe(before + 1);
      const proxied = ['run', '--rm', '-e', `http_proxy=http://${address}`, 'busybox', 'sh', '-c', plain];
      expect((await dockerCli(engine, proxied)).stdout).toContain(BODY_HASH);
      expect(site.asked.filter((one) => one === `http ${HOST} /plain`)).toHaveLength(1);
    });

    describe.runIf(newest)('on a network of its own', () => {
      const network = `${run}-network`;
      const onNetwork = (script: string): Promise<CommandResult> =>
        through(['run', '--rm', '--network', network, imageOf('debian'), 'sh', '-c', script]);
      beforeAll(async () => {
        const subnet = address6.replace(/::1$/, ':1::/64');
        await docker(engine, ['network', 'create', '--ipv6', '--subnet', subnet, network]);
      });
      afterAll(async () => {
        await docker(engine, ['network', 'rm', network]);
      });

      test('a container with IPv6 reaches the cache by it, too', async () => {
        const before = await intercepted();
        const six = fetchScript(bundleOf.debian, '/six').replace('openssl s_client', 'openssl s_client -6');
        const got = await onNetwork(six);
        expect(got.stdout, got.stderr).toContain(BODY_HASH);
        expect(await intercepted()).toBe(before + 1);
      });

      test('who brings a list of its own is passed through after three refusals, there alone, and the log says so', async () => {
        const before = await intercepted();
        const refusedBefore = await refused();
        const pinned = fetchScript(PINS, '/pinned');
        const got = await onNetwork(Array(4).fill(pinned).join('; '));
        const [first, , third, fourth] = got.stdout.split('\n').map((line) => line.includes(BODY_HASH));
        expect([first, third, fourth], got.stderr).toEqual([false, false, true]);
        expect(await intercepted()).toBe(before + 3);
        expect(await refused()).toBe(refusedBefore + 3);
        expect(berthgate.log().filter(({ msg }) => /refuse our CA/.test(String(msg)))).toMatchObject([{ host: HOST }]);
        // The other networks go on as before.
        const others = ['run', '--rm', imageOf('debian'), 'sh', '-c', fetchScript(bundleOf.debian, '/pinned')];
        expect((await through(others)).stdout).toContain(BODY_HASH);
        expect(await intercepted()).toBe(before + 4);
      });
    });

    test('what one container has fetched comes to the others from the store, over TLS too, and is counted', async () => {
      const counted = async (): Promise<number> =>
        Number(/http_cache_requests_total\{kind="fresh",scheme="https"\} (\d+)/.exec(await page('/metrics'))?.[1] ?? 0);
      const fetch = ['sh', '-c', fetchScript(bundleOf.debian, '/twice')];
      const fetched = ['run', '--rm', imageOf('debian'), ...fetch];
      expect((await through(fetched)).stdout).toContain(BODY_HASH);
      const before = await counted();
      const named = ['run', '--rm', '--name', `${run}-again`, imageOf('debian'), ...fetch];
      expect((await through(named)).stdout).toContain(BODY_HASH);
      expect(await counted()).toBe(before + 1);
      // And the audit says whose it was, and what.
      const accounts = (): unknown =>
        readFileSync(join(store, 'audit.jsonl'), 'utf8')
          .split('\n')
          .filter((line) => line.includes('"decision":"served"'))
          .map((line) => JSON.parse(line))
          .find(({ objects }) => objects[0].name.endsWith(`${run}-again`));
      await expect
        .poll(accounts)
        .toMatchObject({ policy: 'cache', cache: { requests: 1, hits: 1, bytes: 600_000, hitBytes: 600_000 } });
      expect(site.asked.filter((one) => one === `https ${HOST} /twice`)).toHaveLength(1);
      // The control: the other scheme is another thing.
      const plain = ['run', '--rm', imageOf('debian'), 'sh', '-c', `wget -q -O - http://${HOST}/twice | sha256sum`];
      expect((await through(plain)).stdout).toContain(BODY_HASH);
      expect(site.asked).toContain(`http ${HOST} /twice`);
    });

    // Seen on 20.10, too; once is enough.
    test.runIf(newest)(
      'Node is told of the CA, unless somebody has told it of another; nobody is shown that',
      async () => {
        const script = fetchScript('$NODE_EXTRA_CA_CERTS', '/pool/a.deb');
        const name = `${run}-node`;
        expect(await ok(['run', '--name', name, imageOf('debian'), 'sh', '-c', script])).toContain(BODY_HASH);
        const shown = await ok(['inspect', '--format', '{{json .Config.Env}}', name]);
        expect([shown.includes('PATH='), shown.includes('NODE_EXTRA')]).toEqual([true, false]);
        const tell = ['sh', '-c', 'echo $NODE_EXTRA_CA_CERTS'];
        expect(await ok(['run', '--rm', '-e', 'NODE_EXTRA_CA_CERTS=/own', imageOf('debian'), ...tell])).toBe('/own');

        await ok(['commit', name, `${run}:node`]);
        const environment = await docker(engine, ['inspect', '--format', '{{json .Config.Env}}', `${run}:node`]);
        expect(environment).not.toContain('berthgate');
        // And it is told anew.
        expect(await ok(['run', '--rm', `${run}:node`, ...tell])).toContain('berthgate');
        await ok(['commit', '--change', 'ENV NODE_EXTRA_CA_CERTS=/own', name, `${run}:own`]);
        expect(await ok(['run', '--rm', `${run}:own`, ...tell])).toBe('/own');
      },
    );

    test('a host that is to pass shows its own certificate', async () => {
      const before = await intercepted();
      const script = fetchScript(bundleOf.debian, '/x', PINNED);
      const got = await through(['run', '--rm', imageOf('debian'), 'sh', '-c', script]);
      expect(got.stdout, got.stderr).toContain(BODY_HASH);
      expect(await intercepted()).toBe(before);
    });

    test('a container with a read-only root, or with a trust store of its own mounted, is passed through', async () => {
      const before = await intercepted();
      const script = fetchScript(bundleOf.debian, '/x');
      const fixed = await through(['run', '--rm', '--read-only', imageOf('debian'), 'sh', '-c', script]);
      expect(fixed.stdout, fixed.stderr).toContain(BODY_HASH);
      const volume = ['-v', '/etc/ssl/certs'];
      const mounted = await through(['run', '--rm', ...volume, imageOf('debian'), 'sh', '-c', script]);
      expect(mounted.stdout, mounted.stderr).toContain(BODY_HASH);
      expect(await intercepted()).toBe(before);
    });

    const builders = Number(engine.version.split('.')[0]) >= 24 ? ['0', '1'] : ['0'];
    test.each(builders)('steps of builds are passed through, with DOCKER_BUILDKIT=%s', async (builder) => {
      const before = await intercepted();
      const context = mkdtempSync(join(tmpdir(), 'berthgate-steps-'));
      const step = `wget -q -O - http://${HOST}/${builder} | sha256sum >/plain; ${fetchScript(bundleOf.debian, '/s')} >/secure`;
      writeFileSync(join(context, 'step.sh'), step);
      writeFileSync(join(context, 'Dockerfile'), `FROM ${imageOf('debian')}\nCOPY step.sh /\nRUN sh /step.sh\n`);
      const tag = `${run}:built-${builder}`;
      const built = await dockerCli(`unix://${berthgate.socket}`, ['build', '-t', tag, context], {
        env: { DOCKER_BUILDKIT: builder },
        timeoutMs: 120_000,
      });
      rmSync(context, { recursive: true });
      expect(built.code, built.stderr).toBe(0);
      const got = await docker(engine, ['run', '--rm', tag, 'cat', '/plain', '/secure']);
      expect(got.split(BODY_HASH)).toHaveLength(3);
      expect(await intercepted()).toBe(before);
    });

    test('inspect shows the hosts that were asked for, and no label of ours', async () => {
      const id = await ok(['create', '--name', `${run}-inspect`, '--add-host', 'own:10.0.0.1', imageOf('debian')]);
      const shown = JSON.parse(await ok(['inspect', id]))[0];
      expect(shown.HostConfig.ExtraHosts).toEqual(['own:10.0.0.1']);
      expect(JSON.stringify([shown.Config, shown.HostConfig])).not.toContain('berthgate');
      const real = JSON.parse(await docker(engine, ['inspect', id]))[0];
      const pointed = [HOST, PINNED].flatMap((host) => [`${host}:${address}`, `${host}:${address6}`]);
      expect(real.HostConfig.ExtraHosts).toEqual(['own:10.0.0.1', ...pointed]);
    });

    describe.each(layouts.filter((one) => one !== 'alpine' && one !== 'suse'))(
      'of a container made as %s',
      (layout) => {
        const name = `${run}-kept-${layout}`;

        test('diff, export and commit show nothing of the CA, and it trusts on', async () => {
          await ok(['run', '-d', '--name', name, imageOf(layout), 'sh', '-c', 'echo mine >/mine; exec sleep 3600']);
          const { roots } = { roots: await page('/ca.crt') };
          const base64 = /-----\n([\s\S]*?)\n-----END/.exec(roots)?.[1] as string;
          const line = base64.split('\n')[2] as string;
          // The control: it is there.
          expect((await docker(engine, ['exec', name, 'cat', bundleOf[layout]])).includes(line)).toBe(true);
          expect((await docker(engine, ['diff', name])).split('\n')).toContain(
            `C ${bundleOf[layout].split('/').slice(0, 2).join('/')}`,
          );

          const diff = (await ok(['diff', name])).split('\n');
          expect(diff).toContain('A /mine');
          expect(diff.filter((one) => /certs|ssl|pki|ca-certificates|berthgate/.test(one))).toEqual([]);

          const exported = await dockerCli(`unix://${berthgate.socket}`, ['export', name], { timeoutMs: 60_000 });
          expect(exported.code).toBe(0);
          const bytes = exported.bytes.toString('latin1');
          expect(bytes).toContain('mine');
          expect(bytes.includes(line) || bytes.includes('berthgate')).toBe(false);

          await ok(['commit', name, `${run}:committed-${layout}`]);
          const look = `cat ${bundleOf[layout]}; find / -xdev -name '*berthgate*'`;
          const kept = await dockerCli(engine, ['run', '--rm', `${run}:committed-${layout}`, 'sh', '-c', look]);
          expect(kept.stdout.includes(line) || kept.stdout.includes('berthgate')).toBe(false);
          if (layout !== 'none') expect(kept.stdout).toContain(site.ca.split('\n')[2]);

          expect((await ok(['diff', name])).split('\n').sort()).toEqual([...diff].sort());

          const script = fetchScript(bundleOf[layout], '/again');
          await expect
            .poll(async () => (await docker(engine, ['exec', name, 'cat', bundleOf[layout]])).includes(line), {
              timeout: 20_000,
            })
            .toBe(true);
          expect(await ok(['exec', name, 'sh', '-c', script])).toContain(BODY_HASH);
        });
      },
    );

    test('a commit holds the container paused from before the CA is out until it is back, unless it is not to', async () => {
      const name = `${run}-paused`;
      await ok(['run', '-d', '--name', name, imageOf('debian'), 'sleep', '3600']);
      const told = async (...how: readonly string[]): Promise<string> => {
        // The engine counts in seconds, so both commits are told together.
        await ok(['commit', ...how, name, `${run}:paused-${how.length}`]);
        const now = JSON.parse(await docker(engine, ['info', '--format', '{{json .SystemTime}}'])) as string;
        const args = ['--since', '10m', '--until', now, '--filter', `container=${name}`, '--format', '{{.Action}}'];
        return (await docker(engine, ['events', ...args])).split('\n').join(' ');
      };
      const writes = '(extract-to-dir |archive-path )+';
      const paused = new RegExp(`start pause ${writes}commit ${writes}unpause$`);
      const first = await told();
      expect(first).toMatch(paused);
      // Whoever has the answer finds it running.
      expect(await ok(['exec', name, 'cat', bundleOf.debian])).toContain('Berthgate: end');
      const running = (await told('--pause=false')).slice(first.length);
      expect(running).toMatch(new RegExp(`${writes}commit ${writes}`.trim()));
      expect(running).not.toContain('pause');
    });

    test('a container that is started again when the CA is another one gets that', async () => {
      const name = `${run}-again`;
      const script = fetchScript(bundleOf.debian, '/again');
      await ok(['run', '--name', name, imageOf('debian'), 'sh', '-c', script]);
      // Another installation at the same address: nothing of the first one's CA is left.
      await berthgate.stop();
      berthgate = await start();
      const before = await intercepted();
      expect(await ok(['start', '-a', name])).toContain(BODY_HASH);
      expect(await intercepted()).toBe(before + 1);
      const bundle = await docker(engine, ['cp', `${name}:${bundleOf.debian}`, '-']);
      const root = (await page('/ca.crt')).split('\n')[3] as string;
      expect(bundle).toContain(root);
      expect(bundle.match(/Berthgate: end/g)).toHaveLength(1);
    });

    test('what OpenSSL trusts by its folder is trusted, too', async () => {
      const script = fetchScript('x', '/x').replace(
        /-CAfile x -no-CApath -no-CAstore/,
        '-CApath /etc/ssl/certs -no-CAfile',
      );
      const got = await through(['run', '--rm', imageOf('debian'), 'sh', '-c', script]);
      expect(got.stdout, got.stderr).toContain(BODY_HASH);
    });

    test('openssl of this machine knows what is published of the CA', async () => {
      const text = execFileSync('openssl', ['x509', '-noout', '-text'], { input: await page('/ca.crt') }).toString();
      expect(text).toMatch(/CN ?= ?Berthgate cache [0-9a-f]{16}/);
      expect(text).toContain(`DNS:${HOST}`);
      expect(text).not.toContain(PINNED);
    });
  },
  (engine) => engine.socket !== '',
);
