// Testcontainers, as tests of Node programs use it.
import { expect, test } from 'vitest';
import { describeGuarded } from '../attacks/guarded.ts';
import { testcontainers } from './testcontainers.ts';
import { describeThrough } from './through.ts';

const saw = { word: 'from a build', exec: { exitCode: 0, output: 'HELLO\n' }, status: 200 };

describeThrough('Testcontainers', (ways) => {
  test('starts, waits for, asks, fills and stops containers, networks and builds', async () => {
    expect(await ways.same((way) => testcontainers(way.host, way.own('tc'), way.env))).toMatchObject(saw);
  });
});

describeGuarded('Testcontainers under conservative', ['conservative'], (guarded) => {
  test('does the same', async () => {
    expect(await testcontainers(`unix://${guarded.through}`, guarded.own('tc'))).toMatchObject(saw);
  });
});
