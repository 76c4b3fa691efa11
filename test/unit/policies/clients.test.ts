import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { policyKinds } from '../../../src/rules/policies/policies.ts';
import { contextOf, create, judgeBy, type Said } from './judging.ts';

const folder = join(import.meta.dirname, 'bodies');
const kind = policyKinds.get('conservative')!;

interface Recorded extends Said {
  readonly what?: string;
  /** What it is refused with all the same, and why that is so. */
  readonly refused?: string;
  readonly why?: string;
  /** Of the policy, where the listener of such clients needs them. */
  readonly options?: object;
}

describe.each(readdirSync(folder).map((file) => file.replace(/\.json$/, '')))('what %s sends', (client) => {
  const said: readonly Recorded[] = JSON.parse(readFileSync(join(folder, `${client}.json`), 'utf8'));

  test.each(said.map((one, index) => [`${index} ${one.what ?? ''} ${one.path}`, one] as const))(
    '%s',
    async (_, one) => {
      const containers = new Proxy(
        {},
        {
          get: (_target, name) => {
            const [id, reference = ''] = String(name).split(' ');
            if (id === 'ContainerInspect') return { Id: reference.padEnd(64, '0'), HostConfig: {}, Mounts: [] };
            if (id === 'ExecInspect') return { ID: reference, ContainerID: 'web', ProcessConfig: {} };
            if (id === 'NetworkInspect')
              return { Id: reference.padEnd(64, '0'), Name: reference, Driver: 'bridge', Options: {} };
            return undefined;
          },
        },
      );
      const judged = judgeBy(create(kind, { ports: { range: '1-65535' }, ...one.options }), one, contextOf(containers));
      if (one.refused === undefined) await expect(judged).resolves.toBeDefined();
      else await expect(judged).rejects.toThrow(one.refused);
    },
  );
});
