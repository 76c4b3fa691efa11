// What is followed while it happens: logs, events, stats, wait, top; and the state of the engine.
import { expect, test } from 'vitest';
import { describeThrough } from './through.ts';

describeThrough('watching', (ways) => {
  test('logs are read, followed, cut and stamped', async () => {
    await ways.same(
      async (way) => {
        const name = way.own('logs');
        const line =
          'for i in 1 2 3 4 5; do echo out $i; done; sleep 1; echo err 1 >&2; while ! test -e /go; do sleep 0.1; done; echo last; while ! test -e /end; do sleep 0.1; done';
        await way.docker(['run', '-d', '--name', name, 'busybox', 'sh', '-c', line]);
        const following = way.watch(['logs', '-f', name]);
        await following.said(/err 1/);
        const late = way.watch(['logs', '-f', '--tail', '1', name]);
        await late.said(/err 1/);
        await way.docker(['exec', name, 'touch', '/go']);
        // An engine that is asked to follow a container while it ends may leave out the last lines.
        await following.said(/last/);
        await late.said(/last/);
        await way.docker(['exec', name, 'touch', '/end']);
        const ended = await following.end();
        const endedLate = await late.end();
        await way.docker(['wait', name]);
        await way.docker(['logs', name]);
        await way.docker(['logs', '--tail', '2', name]);
        await way.docker(['logs', '--timestamps', '--tail', '1', name]);
        await way.docker(['logs', '--since', '2001-01-01T00:00:00', '--until', '2002-01-01T00:00:00', name]);
        await way.docker(['logs', '--details', name]);
        await way.docker(['logs', 'e2e-no-such-container']);
        await way.docker(['rm', name]);
        return [ended, endedLate];
      },
      { clis: 'all' },
    );
  });

  test('20 MB of a log are whole', async () => {
    const came = await ways.same(async (way) => {
      const name = way.own('logs-large');
      const line = 'yes "a line of a log that is long enough to be worth it" | head -n 300000 | cat -n; echo end';
      await way.docker(['run', '-d', '--name', name, 'busybox', 'sh', '-c', line]);
      // An engine that is asked to follow a container while it ends may leave out the last lines.
      await way.docker(['wait', name]);
      const { code, stdout } = await way.watch(['logs', name]).end();
      await way.docker(['rm', '-f', name]);
      const lines = stdout.split('\n');
      const inOrder = lines.slice(0, -2).every((text, i) => Number.parseInt(text, 10) === i + 1);
      return [code, lines.length, lines.at(-2), inOrder];
    });
    expect(came).toEqual([0, 300_002, 'end', true]);
  });

  test('events come when they happen, and those of the past', async () => {
    const came = await ways.same(
      async (way) => {
        const [name, network, volume] = [way.own('events'), way.own('events-net'), way.own('events-vol')];
        const format = '{{.Type}} {{.Action}} {{.Actor.Attributes.name}}';
        const filters = [name, network, volume, 'busybox'].flatMap((value) => [
          '--filter',
          `${value === network ? 'network' : value === volume ? 'volume' : 'container'}=${value}`,
        ]);
        const since = String(Math.floor(Date.now() / 1000) - 1);
        const watching = way.watch(['events', '--since', since, '--format', format, ...filters.slice(0, 2)]);
        await way.docker(['volume', 'create', volume]);
        await way.docker(['network', 'create', '--subnet', way.subnet(2), network]);
        await way.docker(['run', '--name', name, '--network', network, '-v', `${volume}:/v`, 'busybox', 'true']);
        await way.docker(['rename', name, `${name}2`]);
        await way.docker(['rename', `${name}2`, name]);
        await way.docker(['rm', name]);
        await way.docker(['network', 'rm', network]);
        await way.docker(['volume', 'rm', volume]);
        await watching.said(/container destroy/);
        watching.signal('SIGINT');
        const { code, stdout } = await watching.end();
        // The engine looks at whole events only until then, and its clock is ours.
        const until = ((Date.now() + 200) / 1000).toFixed(3);
        const args = ['events', '--since', since, '--until', until, '--format', format];
        await way.docker([...args, '--filter', `network=${network}`]);
        await way.docker([...args, '--filter', `volume=${volume}`]);
        await way.docker([...args, '--filter', 'type=container', '--filter', `container=${name}`]);
        return { code, told: stdout.split('\n').filter((line) => line.startsWith('container')) };
      },
      { clis: 'all', except: [[/--(since|until) [\d.]+/g, 'THEN']] },
    );
    expect(came.told.map((line) => line.split(' ')[1])).toEqual(
      expect.arrayContaining(['create', 'attach', 'start', 'die', 'rename', 'destroy']),
    );
  });

  test('stats come as a stream and once', async () => {
    await ways.same(async (way) => {
      const name = way.own('stats');
      await way.docker(['run', '-d', '--init', '--name', name, '--memory', '64m', 'busybox', 'sleep', '600']);
      const format = '{{.Name}}';
      await way.docker(['stats', '--no-stream', '--format', format, name]);
      const streaming = way.watch(['stats', '--format', format, name]);
      await streaming.said(new RegExp(`${name}[^]*${name}[^]*${name}`));
      // No signal that it could catch ends docker 28 there.
      streaming.kill();
      await streaming.end();
      await way.docker(['stats', '--no-stream', 'e2e-no-such-container']);
      await way.docker(['rm', '-f', name]);
    });
  });

  test('wait tells the exit code as soon as there is one', async () => {
    await ways.same(
      async (way) => {
        const name = way.own('wait');
        await way.docker(['run', '-d', '-i', '--name', name, 'busybox', 'sh', '-c', 'read a; exit 12']);
        const waiting = way.watch(['wait', name]);
        const attached = way.watch(['attach', name]);
        attached.type('go\n');
        const ended = await waiting.end();
        await attached.end();
        await way.docker(['wait', name, 'e2e-no-such-container']);
        await way.docker(['rm', name]);
        return ended;
      },
      { clis: 'all' },
    );
  });

  test('top, port and inspect tell of a container', async () => {
    await ways.same(
      async (way) => {
        const name = way.own('top');
        await way.docker([
          'run',
          '-d',
          '--init',
          '--name',
          name,
          '-p',
          '127.0.0.1::80',
          '-l',
          'a=b',
          'busybox',
          'sleep',
          '600',
        ]);
        await way.docker(['top', name, '-eo', 'comm,args']);
        await way.docker(['top', name, '-eo', 'not-a-column']);
        await way.docker(['port', name]);
        await way.docker(['port', name, '81']);
        await way.docker(['inspect', '--format', '{{json .Config}} {{json .HostConfig}}', name]);
        await way.docker(['inspect', '--size', '--format', '{{.SizeRw}}', name]);
        await way.docker([
          'ps',
          '--filter',
          `name=${name}`,
          '--format',
          '{{.Names}} {{.Image}} {{.Command}} {{.Labels}}',
        ]);
        await way.docker(['ps', '-a', '--filter', 'no-such=filter']);
        await way.docker(['inspect', 'e2e-no-such-object']);
        await way.docker(['rm', '-f', name]);
      },
      { clis: 'all' },
    );
  });

  test('the engine tells of itself', async () => {
    await ways.same(
      async (way) => {
        await way.docker(['version']);
        await way.docker([
          'info',
          '--format',
          '{{.ID}} {{.Driver}} {{json .Plugins}} {{.ServerVersion}} {{.Warnings}}',
        ]);
        await way.docker(['info'], { silent: true });
        await way.docker(['system', 'df'], { silent: true });
        await way.docker(['system', 'df', '-v'], { silent: true });
        await way.docker(['search', '--limit', '0', 'nothing'], { silent: true });
        await way.docker(['swarm', 'ca']);
        await way.docker(['node', 'ls']);
        await way.docker(['plugin', 'ls']);
        await way.docker(['context', 'show']);
      },
      // Versions older than those of the table are not offered.
      { clis: 'all', tcp: true, except: [[/minimum version 1\.\d+/g, 'minimum version']] },
    );
  });
});
