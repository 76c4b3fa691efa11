// A program that cannot be started is a fault of one archive, and one that is fed too slowly makes room for others.
import { EventEmitter, once } from 'node:events';
import { PassThrough } from 'node:stream';
import { afterEach, expect, test, vi } from 'vitest';
import { UnpackingProgram } from '../../../src/wire/tar/unpacking-program.ts';

const { spawn } = vi.hoisted(() => ({ spawn: vi.fn() }));
vi.mock('node:child_process', () => ({ spawn }));

afterEach(() => {
  vi.useRealTimers();
});

test('where no more files can be opened, an archive is not unpacked, and the next one is', async () => {
  // What Node gives then: no streams at all, and the fault a moment later; for want of memory it throws.
  const without = (code: string) => () => {
    const child = Object.assign(new EventEmitter(), { kill: () => false });
    process.nextTick(() => child.emit('error', Object.assign(new Error(`spawn xz ${code}`), { code })));
    return child;
  };
  const thrown = () => {
    throw new Error('spawn ENOMEM');
  };
  for (const [made, said] of [
    [without('EMFILE'), 'EMFILE'],
    [without('ENOENT'), 'xz is missing here'],
    [thrown, 'ENOMEM'],
  ] as const) {
    // More often than programs may run at a time: none of them does.
    for (let i = 0; i < 20; i++) {
      spawn.mockImplementationOnce(made);
      const [fault] = (await once(new UnpackingProgram('xz'), 'error')) as [Error];
      expect(fault.message).toContain(said);
    }
  }
});

test('who keeps all places with a byte now and then loses one to whoever comes, and who goes on does not', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  spawn.mockImplementation(() => {
    const child = Object.assign(new EventEmitter(), {
      stdin: new PassThrough().resume(),
      stdout: new PassThrough(),
      kill: () => process.nextTick(() => child.emit('close', null)),
    });
    return child;
  });
  const said = (one: UnpackingProgram): Promise<[Error]> => once(one, 'error') as Promise<[Error]>;
  const slow = Array.from({ length: 16 }, () => new UnpackingProgram('xz'));
  const feed = async (bytes: number): Promise<void> => {
    for (let second = 0; second < 90; second += 30) {
      vi.advanceTimersByTime(30_000);
      for (const one of slow) await new Promise((resolve) => one.write(Buffer.alloc(bytes), resolve));
    }
  };
  // The control: what comes as fast as any line brings it keeps its place.
  await feed(600_000);
  expect((await said(new UnpackingProgram('xz')))[0].message).toContain('try again later');
  await feed(1);
  const lost = said(slow[0] as UnpackingProgram);
  const next = new UnpackingProgram('xz');
  expect((await lost)[0].message).toBe('too little of it comes, and others wait');
  expect(next.destroyed).toBe(false);
  expect(slow.filter(({ destroyed }) => destroyed)).toHaveLength(1);
  for (const one of [...slow, next]) one.destroy();
});
