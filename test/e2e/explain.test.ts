// `berthgate explain -- docker …`: a real docker command is explained call by call, and reaches no engine.
import { expect, test } from 'vitest';
import { commands } from '../../src/cli/commands.ts';
import { run } from '../../src/cli/program.ts';
import { dockerClis } from '../engines/index.ts';

async function explain(...command: string[]): Promise<{ code: number; out: string }> {
  let out = '';
  const code = await run(['explain', '--json', '--', ...command], commands, {
    env: process.env,
    uid: 0,
    out: (text) => {
      out += text;
    },
    err: () => {},
  });
  return { code, out };
}

for (const cli of dockerClis) {
  test(`every call of docker run of ${cli.name} is told`, async () => {
    const { code, out } = await explain(cli.path, 'run', '--rm', '--privileged', 'busybox', 'true');
    expect(code).toBe(0);
    const calls = out
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    const ids = calls.map(({ endpoint }) => endpoint.id);
    expect(ids).toEqual(
      expect.arrayContaining(['ContainerCreate', 'ContainerAttach', 'ContainerWait', 'ContainerStart']),
    );
    const create = calls.find(({ endpoint }) => endpoint.id === 'ContainerCreate');
    expect(create.meanings).toContainEqual(expect.objectContaining({ place: 'HostConfig.Privileged', value: true }));
  });
}
