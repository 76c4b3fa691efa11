// A program that cannot be started is a fault of one archive.
import { EventEmitter, once } from 'node:events';
import { expect, test, vi } from 'vitest';
import { UnpackingProgram } from '../../../src/wire/tar/unpacking-program.ts';

const { spawn } = vi.hoisted(() => ({ spawn: vi.fn() }));
vi.mock('node:child_process', () => ({ spawn }));

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
