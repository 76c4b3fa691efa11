// Builds by the classic builder over the API, and what an image holds.
import { createHash } from 'node:crypto';
import { request } from 'node:http';
import { docker, dockerCli, run, type TestEngine } from '../engines/index.ts';

export interface Built {
  readonly status: number;
  /** All that was said, errors too. */
  readonly text: string;
}

/** `socket` is the path of a unix socket; the body travels in chunks. */
export function build(socket: string, context: Buffer, query: Readonly<Record<string, string>> = {}): Promise<Built> {
  const path = `/v1.41/build?${new URLSearchParams({ nocache: '1', ...query })}`;
  const headers = { 'Content-Type': 'application/x-tar', 'Transfer-Encoding': 'chunked' };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath: socket, method: 'POST', path, headers, agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: said(Buffer.concat(pieces)) }));
    });
    call.on('error', reject);
    call.end(context);
  });
}

function said(body: Buffer): string {
  const texts = body
    .toString()
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as { stream?: string; error?: string; message?: string });
  return texts.map(({ stream, error, message }) => stream ?? error ?? message ?? '').join('\n');
}

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
