// Directories of a job's own container, mounted into containers that it starts: they lie on its volumes, or are refused.
import { describe, expect, test } from 'vitest';
import { hasJobClient } from './job-client.ts';
import { describeJobs, done } from './jobs.ts';

describe.skipIf(!hasJobClient)('paths of a job', () => {
  describeJobs('on an engine', {}, ({ engine, at, within, tries, startJob, direct, ns, jobOf, endOf }) => {
    test('a directory that is a volume is that volume, with what the job may do to it', async () => {
      await startJob('whole', '-v', 'work:/builds', '-v', 'safe:/safe:ro');
      await within('whole', 'echo mine >/builds/f && ln -s /builds /root/to-builds && ln -s /safe /builds/to-safe');
      expect(await within('whole', 'docker run --rm -v /builds:/src busybox cat /src/f')).toBe('mine');
      expect(await within('whole', 'cd /root/to-builds && docker run --rm -v "$PWD":/src busybox cat /src/f')).toBe(
        'mine',
      );
      const written = await tries('whole', 'docker run --rm -v /builds/to-safe:/src busybox touch /src/f');
      expect(written.stderr).toContain('Read-only file system');
      await within('whole', 'docker run --rm -v /builds/:/src busybox sh -c "echo theirs >/src/f"');
      expect(await within('whole', 'cat /builds/f')).toBe('theirs');
      const { code } = await tries('whole', 'docker run --rm -v /safe:/src busybox touch /src/f');
      expect(code).not.toBe(0);
      await at('rm', '--force', 'whole');
    });

    test('--volumes-from $HOSTNAME gives the volumes of the job, and a socket to the same job', async () => {
      await startJob('lends', '-v', 'work5:/builds', '-v', '/scratch', '-v', 'safe5:/safe:ro');
      await within('lends', 'echo mine >/builds/f && echo too >/scratch/g');
      const client = (await at('inspect', '-f', '{{.Config.Image}}', 'lends')).stdout.trim();
      const taken = 'docker run --rm --volumes-from $HOSTNAME';
      expect(await within('lends', `${taken} busybox cat /builds/f /scratch/g`)).toBe('mine\ntoo');
      expect(await within('lends', `${taken} --name taker ${client} docker ps --all --format '{{.Names}}'`)).toBe(
        'taker',
      );
      for (const wrong of [`${taken} busybox touch /safe/f`, `${taken}:ro busybox touch /builds/g`]) {
        expect((await tries('lends', wrong)).stderr, wrong).toContain('Read-only file system');
      }
      expect(await within('lends', `${taken} -v other:/builds busybox ls /builds`)).toBe('');
      // Of a container of the job with a socket the same holds.
      const holder = `docker create --name data -v work:/data -v /var/run/docker.sock:/var/run/docker.sock busybox`;
      await within('lends', `${holder} && docker run --rm --volumes-from data busybox touch /data/there`);
      const seen = `docker run --rm --name second --volumes-from data ${client} sh -c 'ls /data; docker ps --all --format "{{.Names}}"'`;
      expect(await within('lends', seen)).toBe('there\nsecond\ndata');
      await at('rm', '--force', '--volumes', 'lends');
    });

    test('volumes that the job has mounted are free when its container is gone; those without a name go with it', async () => {
      await startJob('nameless', '-v', '/builds', '-v', 'work:/work');
      const job = await jobOf('nameless');
      await within('nameless', 'docker run -d -v /builds:/src -v /work:/work busybox sleep 600');
      // In use by its own container, which is there to be seen.
      expect((await at('volume', 'rm', 'work')).stderr).toContain('volume is in use');
      type Volumes = { readonly Volumes: readonly { readonly Name: string; readonly Labels: object | null }[] };
      const volumes = async () => (await direct('GET', '/volumes')).json<Volumes>().Volumes;
      const [made] = (await volumes()).filter(({ Name }) => new RegExp(`^${ns}\\.[0-9a-f]{64}$`).test(Name));
      await at('rm', '--force', '--volumes', 'nameless');
      // What the job has made of it goes too, a moment later: that is waited for.
      expect(await done(at('volume', 'rm', 'work'))).toBe('work');
      await endOf(job);
      const left = (await volumes()).map(({ Name, Labels }) => `${Name} ${JSON.stringify(Labels)}`);
      // It is gone already, or written down for the next sweep.
      const written = left.some((one) => one.includes('berthgate.intent') && one.includes(String(made?.Name)));
      expect(made).toBeDefined();
      expect(written || !left.some((one) => one.startsWith(String(made?.Name)))).toBe(true);
    });

    test('what is on no volume of the job is refused, with what to do', async () => {
      await startJob('layer', '--tmpfs', '/mem');
      for (const [path, said] of [
        ['/root/src', /lies in the job's own container.*volumes/],
        ['/mem/x', /lies in the memory/],
        ['/etc', /lies in the job's own container/],
        ['/run/berthgate', /directory of the host/],
        ['/', /lies in the job's own container/],
      ] as const) {
        const { code, stderr } = await tries('layer', `docker run --rm -v ${path}:/x busybox true`);
        expect(code, path).not.toBe(0);
        expect(stderr).toMatch(said);
      }
      // The control: the engine itself would mount its host's.
      const body = { Image: 'busybox', Cmd: ['true'], HostConfig: { Binds: ['/etc:/x'] } };
      const made = await direct('POST', '/containers/create', body);
      expect(made.status).toBe(201);
      await direct('DELETE', `/containers/${made.json<{ Id: string }>().Id}`);
      await at('rm', '--force', 'layer');
    });

    test.skipIf(engine.hasSubpaths)('of a part of a volume an older engine says what to do instead', async () => {
      await startJob('old', '-v', 'work:/builds');
      const { stderr } = await tries('old', 'mkdir -p /builds/p && docker run --rm -v /builds/p:/src busybox true');
      expect(stderr).toMatch(/engines before 26\.0 mount whole volumes only/);
      expect(stderr).toMatch(/-v \/builds:\/builds/);
      await at('rm', '--force', 'old');
    });

    describe.skipIf(!engine.hasSubpaths)('parts of volumes', () => {
      test('docker run, compose and builds work in the directory that the job is in', async () => {
        await startJob('part', '-v', 'work:/builds', '-v', 'work:/workspace/p2');
        await within('part', 'mkdir -p /builds/p/src && echo here >/builds/p/src/f');
        expect(await within('part', 'cd /builds/p/src && docker run --rm -v "$PWD":/src busybox cat /src/f')).toBe(
          'here',
        );
        const compose = 'services: {a: {image: busybox, init: true, command: sleep 600, volumes: ["./src:/src"]}}';
        await within('part', `cd /builds/p && echo '${compose}' >compose.yaml && docker compose up -d`);
        expect(await within('part', 'docker exec p-a-1 cat /src/f')).toBe('here');
        const shown = await within('part', 'docker inspect -f "{{json .HostConfig.Binds}}{{json .Mounts}}" p-a-1');
        expect(shown).toContain('/builds/p/src:/src');
        expect(shown).not.toContain(ns);
        await within('part', 'ln -s /builds/p /builds/link && ln -s p/src /builds/near && ln -s /builds/p /root/far');
        // The image has a link there.
        expect(await within('part', 'cd -P /workspace/p2/p && pwd -P')).toBe('/data/workspace/p2/p');
        const linked = [
          '/builds/link/src',
          '/builds/near',
          '/root/far/src',
          '/workspace/p2/p/src',
          '/data/workspace/p2/p/src',
        ];
        for (const path of linked) {
          expect(await within('part', `cd ${path} && docker run --rm -v "$PWD":/src busybox cat /src/f`), path).toBe(
            'here',
          );
        }
        await at('rm', '--force', 'part');
      });

      test('a directory that is not there is made, as an engine would', async () => {
        await startJob('made', '-v', 'work2:/builds');
        await within('made', 'docker run --rm -v /builds/new/dir:/out busybox touch /out/f');
        await within('made', 'ln -s /builds/new /root/new && docker run --rm -v /root/new/two:/out busybox true');
        expect(await within('made', 'ls /builds/new/dir /builds/new')).toBe(
          '/builds/new:\ndir\ntwo\n\n/builds/new/dir:\nf',
        );
        await at('rm', '--force', 'made');
      });

      test('a nested job is given parts of what it has itself, and no more', async () => {
        await startJob('outer', '-v', 'work3:/builds');
        await within('outer', 'mkdir -p /builds/a/b /builds/b && echo deep >/builds/a/b/f && echo top >/builds/b/f');
        const socket = '-v /var/run/docker.sock:/var/run/docker.sock';
        const image = (await at('inspect', '-f', '{{.Config.Image}}', 'outer')).stdout.trim();
        const inner = `docker run --rm ${socket} -v /builds/a:/here ${image} docker run --rm -v /here/b:/x busybox cat /x/f`;
        expect(await within('outer', inner)).toBe('deep');
        await at('rm', '--force', 'outer');
      });

      test('no link leads out of the volume', async () => {
        await startJob('links', '-v', 'work4:/builds');
        await within(
          'links',
          'cd /builds && ln -s /etc abs && ln -s ../../../../../etc rel && mkdir d && ln -s /proc/1/root d/root',
        );
        for (const path of ['abs', 'rel', 'd/root', 'd/root/etc', 'abs/ssl']) {
          const { stdout, code } = await tries('links', `docker run --rm -v /builds/${path}:/x busybox ls /x`);
          expect(stdout, path).not.toMatch(/hostname|passwd|shadow|vmlinuz|boot/);
          expect(code === 0 && stdout !== '', path).toBe(false);
        }
        // The control: followed, each would lead to files.
        expect(await within('links', 'ls /builds/abs/ /builds/rel/')).toMatch(/passwd/);
        await at('rm', '--force', 'links');
      });
    });
  });
});
