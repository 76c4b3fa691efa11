// What runs in a container and what goes in and comes out of it: run, attach, exec, signals, terminals.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { run } from '../engines/index.ts';
import { describeThrough, type Way } from './through.ts';

const MIB = 1024 * 1024;
const folder = mkdtempSync(join(tmpdir(), 'berthgate-input-'));
const large = join(folder, 'large');
let largeSum = '';

beforeAll(() => {
  const sum = createHash('md5');
  const file = openSync(large, 'w');
  const piece = randomBytes(MIB);
  for (let i = 0; i < 100; i++) {
    // No two pieces are alike: a piece that comes twice, or in another place, changes the sum.
    piece.writeUInt32BE(i, 0);
    sum.update(piece);
    writeSync(file, piece);
  }
  largeSum = sum.digest('hex');
});
afterAll(() => rmSync(folder, { recursive: true }));

const started = async (way: Way, name: string, args: readonly string[]): Promise<string> => {
  const own = way.own(name);
  await way.docker(['run', '-d', '--name', own, ...args]);
  return own;
};

describeThrough('input and output', (ways) => {
  test('100 MB go into a container, and it hears their end', async () => {
    const came = await ways.same(async (way) => {
      const running = way.watch(['run', '--rm', '-i', 'busybox', 'md5sum'], { input: openSync(large, 'r') });
      return running.end(120_000);
    });
    expect(came).toEqual({ code: 0, stdout: `${largeSum}  -\n`, stderr: '' });
  });

  test('100 MB go in and come back while they go in', async () => {
    const came = await ways.same(async (way) => {
      const args = ['run', '--rm', '-i', '--log-driver', 'none', 'busybox', 'cat'];
      const running = way.watch(args, { input: openSync(large, 'r') });
      const { code, stderr } = await running.end(120_000);
      return { code, stderr, sum: createHash('md5').update(running.bytes).digest('hex') };
    });
    expect(came).toEqual({ code: 0, stderr: '', sum: largeSum });
  });

  test('100 MB go into an exec', async () => {
    const came = await ways.same(async (way) => {
      const name = await started(way, 'exec-large', ['--init', 'busybox', 'sleep', '600']);
      const running = way.watch(['exec', '-i', name, 'md5sum'], { input: openSync(large, 'r') });
      const ended = await running.end(120_000);
      await way.docker(['rm', '-f', name]);
      return ended;
    });
    expect(came.stdout).toBe(`${largeSum}  -\n`);
  });

  test('the end of input ends what reads it, with each docker command', async () => {
    const came = await ways.same(
      async (way) => way.docker(['run', '--rm', '-i', 'busybox', 'tr', 'a-z', 'A-Z'], { input: 'berthgate\n' }),
      { clis: 'all', tcp: true },
    );
    expect(came).toMatchObject({ code: 0, stdout: 'BERTHGATE\n' });
  });

  test('output goes on after the end of input', async () => {
    const came = await ways.same(async (way) => {
      const line = 'cat >/dev/null; echo one; sleep 1; echo two >&2; sleep 1; echo three; exit 9';
      return way.docker(['run', '--rm', '-i', 'busybox', 'sh', '-c', line], { input: 'x\n' });
    });
    expect(came).toMatchObject({ code: 9, stdout: 'one\nthree\n', stderr: 'two\n' });
  });

  test('a container ends although its client keeps the input open', async () => {
    await ways.same(async (way) => {
      const running = way.watch(['run', '--rm', '-i', 'busybox', 'sh', '-c', 'read line; echo "got $line"; exit 4']);
      running.type('a line\n');
      return running.end();
    });
  });

  test('exit codes are those of the container, or say why it did not start', async () => {
    await ways.same(
      async (way) => {
        for (const code of [0, 1, 42, 255]) {
          await way.docker(['run', '--rm', 'busybox', 'sh', '-c', `exit ${code}`]);
        }
        await way.docker(['run', '--rm', 'busybox', 'no-such-command']);
        await way.docker(['run', '--rm', 'busybox', '/etc']);
        await way.docker(['run', '--rm', '--pull', 'never', 'no-such-image']);
        await way.docker(['run', '--rm', '--memory', '1', 'busybox']);
        await way.docker(['run', '--rm', '--no-such-option', 'busybox']);
        await way.docker(['exec', 'e2e-no-such-container', 'true']);
      },
      // A race of the docker command's own: it has given up the wait before the engine ended it, or not.
      { clis: 'all', except: [[/^time=.* msg="error waiting for container: .*\n/gm, '']] },
    );
  });

  test('signals reach the container of a run that is in the foreground', async () => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGUSR1'] as const) {
      const came = await ways.same(async (way) => {
        const line = `trap 'echo caught ${signal}; exit 3' ${signal.slice(3)}; echo ready; while :; do sleep 0.1; done`;
        const running = way.watch(['run', '--rm', 'busybox', 'sh', '-c', line]);
        await running.said(/ready/);
        running.signal(signal);
        return running.end();
      });
      expect(came).toMatchObject({ code: 3, stdout: `ready\ncaught ${signal}\n` });
    }
  });

  test('a terminal has its size, changes it, and takes what is typed', async () => {
    const came = await ways.same(async (way) => {
      const running = way.terminal(['run', '--rm', '-it', '--name', way.own('tty'), 'busybox', 'sh']);
      const [, tty] = await running.said(/^(\/dev\/\S+)/);
      await running.said(/# /);
      // The size is sent after the start, and the shell may be there before it.
      const line = (size: string): string =>
        `until [ "$(stty size)" = "${size}" ]; do sleep 0.05; done; echo "now" ${size}\n`;
      running.type(line('30 90'));
      await running.said(/now 30 90/);
      await run('stty', ['-F', tty as string, 'rows', '44', 'cols', '111']);
      running.type(line('44 111'));
      await running.said(/now 44 111/);
      running.type(`trap 'echo in""terrupted' INT; echo "trap"" set"\n`);
      await running.said(/trap set/);
      running.type('\x03');
      await running.said(/interrupted/);
      running.type('exit 5\n');
      return (await running.end()).code;
    });
    expect(came).toBe(5);
  });

  test('an exec has a terminal, and its own exit code', async () => {
    const came = await ways.same(async (way) => {
      const name = await started(way, 'exec', ['--init', 'busybox', 'sleep', '600']);
      const running = way.terminal(['exec', '-it', '-e', 'WORD=told', name, 'sh']);
      await running.said(/# /);
      running.type('test -t 0 && test -t 1 && echo "at a $WORD tty"; exit 6\n');
      await running.said(/at a told tty/);
      const { code } = await running.end();
      await way.docker(['exec', name, 'sh', '-c', 'echo out; echo err >&2; exit 7']);
      await way.docker(['exec', '-i', name, 'cat'], { input: 'through\n' });
      await way.docker(['exec', '-d', name, 'touch', '/touched']);
      await way.docker(['exec', '-w', '/etc', '-u', '1', name, 'sh', '-c', 'pwd; id -u']);
      await way.docker(['exec', name, 'no-such-command']);
      await way.docker(['rm', '-f', name]);
      return code;
    });
    expect(came).toBe(6);
  });

  test('attach gives input and output to a container that runs, and its exit code', async () => {
    const came = await ways.same(async (way) => {
      const name = await started(way, 'attach', [
        '-i',
        'busybox',
        'sh',
        '-c',
        'while read a && [ $a != end ]; do echo "<$a>"; done; exit 8',
      ]);
      const first = way.watch(['attach', name]);
      first.type('one\n');
      await first.said(/<one>/);
      const second = way.watch(['attach', '--no-stdin', name]);
      // Attached when it hears what the first one makes it say.
      for (let heard = false; !heard; ) {
        first.type('again\n');
        heard = await second.said(/<again>/, 500).then(
          () => true,
          () => false,
        );
      }
      first.type('end\n');
      const codes = [(await first.end()).code, (await second.end()).code];
      await way.docker(['wait', name]);
      await way.docker(['rm', name]);
      return codes;
    });
    expect(came).toEqual([8, 8]);
  });

  test('detach keys leave the container running, and it can be attached again', async () => {
    const came = await ways.same(async (way) => {
      const name = way.own('detach');
      const first = way.terminal(['run', '-it', '--name', name, 'busybox', 'sh']);
      await first.said(/# /);
      first.type('VALUE=kept\n');
      await first.said(/VALUE=kept\r?\n.*# /s);
      first.type('\x10\x11');
      const detached = await first.end();
      await way.docker(['inspect', '--format', '{{.State.Running}}', name]);
      const second = way.terminal(['attach', '--detach-keys', 'ctrl-x,x', name]);
      second.type('echo "value $VALUE"\n');
      await second.said(/value kept/);
      second.type('\x18x');
      const again = await second.end();
      const third = way.terminal(['attach', name]);
      third.type('exit 2\n');
      const { code } = await third.end();
      await way.docker(['rm', name]);
      // What detaching from `attach` ends with is another thing in every docker command.
      return { codes: [detached.code, code], again: again.code };
    });
    expect(came.codes).toEqual([0, 2]);
  });

  test('a container that nobody attends runs, stops, starts, pauses and is killed as told', async () => {
    await ways.same(
      async (way) => {
        const name = await started(way, 'life', ['--init', 'busybox', 'sleep', '600']);
        for (const args of [
          ['pause'],
          ['unpause'],
          ['stop', '-t', '1'],
          ['start'],
          ['restart', '-t', '0'],
          ['kill', '-s', 'KILL'],
          ['kill'],
          ['wait'],
          ['rm'],
          ['rm'],
        ]) {
          await way.docker([...args, name]);
        }
      },
      { clis: 'all' },
    );
  });

  test('start -a -i goes into a container that was created before', async () => {
    const came = await ways.same(async (way) => {
      const name = way.own('created');
      await way.docker(['create', '-i', '--name', name, 'busybox', 'sh', '-c', 'cat; exit 11']);
      await way.docker(['start', '-a', '-i', name], { input: 'first\n' });
      const result = await way.docker(['start', '-a', '-i', name], { input: 'second\n' });
      await way.docker(['rm', name]);
      return result;
    });
    expect(came).toMatchObject({ code: 11, stdout: 'second\n' });
  });
});
