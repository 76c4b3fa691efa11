// What an image holds.
import { createHash } from 'node:crypto';
import { docker, dockerCli, run, type TestEngine } from '../engines/index.ts';

/** Everything that a container of the image would have, but for times and ids. */
export async function contentsOf(engine: TestEngine, image: string): Promise<unknown> {
  const [inspected] = JSON.parse(await docker(engine, ['image', 'inspect', image])) as [
    { Config: Record<string, unknown>; Architecture: string },
  ];
  const { Image: _, Hostname: __, ...config } = inspected.Config;
  const container = await docker(engine, ['create', image, 'nothing']);
  try {
    const { bytes } = await dockerCli(engine, ['export', container]);
    const listed = await run('tar', ['-tv', '--numeric-owner', '--full-time', '--utc'], { input: bytes });
    const contents = await run('tar', ['-xO'], { input: bytes });
    if (listed.code !== 0 || contents.code !== 0) throw new Error(listed.stderr + contents.stderr);
    return {
      config,
      listed: listed.stdout.replace(/ \d{4}-\d{2}-\d{2} \d{2}:\d{2}:\d{2}(?:\.\d+)? /g, ' '),
      contents: createHash('sha256').update(contents.bytes).digest('hex'),
    };
  } finally {
    await docker(engine, ['rm', '-f', container]);
  }
}
