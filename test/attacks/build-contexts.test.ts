// RED-TEAM 13 and 38: contexts that want the engine to build another Dockerfile than the one that was judged. Each is sent
// to the engine as it is first, which shows what it would build.
import { randomBytes } from 'node:crypto';
import { request } from 'node:http';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { archive, type Made, pax } from '../engine/archive.ts';
import { type InProcess, serveInFrontOf } from '../engine/in-process.ts';
import { describeEachEngine, docker, dockerCli } from '../engines/index.ts';

const run = `ctx-${randomBytes(3).toString('hex')}`;
/** The name that no build may take, and what of it stands in the answer of one that does. */
const secret = `${run}-secret`;
const good: Made = { name: 'Dockerfile', content: 'FROM busybox\n' };
const evil: Made = { name: 'Dockerfile', content: `FROM ${secret}\n` };
const END = Buffer.alloc(1024);

interface Trick {
  readonly context: Buffer;
  readonly query?: Readonly<Record<string, string>>;
  /** What the engine makes of it by itself. Default: it builds from the secret. */
  readonly control?: 'secret' | 'harmless' | 'refused';
}

const link = (name: string, target: string): Made => ({ name, type: '2', link: target });
const plain = (...files: readonly Made[]): Buffer => archive(files);

const tricks: Readonly<Record<string, Trick>> = {
  'as it is': { context: plain(evil) },
  'a second one of the same name': { context: plain(good, evil) },
  'a second one, spelled otherwise': { context: plain(good, { ...evil, name: './x/..//Dockerfile' }) },
  'a second one from the root': { context: plain(good, { ...evil, name: '/Dockerfile' }) },
  'a name of PAX over that of the header': {
    context: plain(good, { ...evil, name: 'x', extension: pax({ path: 'Dockerfile' }) }),
  },
  'a long name of GNU over that of the header': {
    context: plain(good, {
      ...evil,
      name: 'x',
      extension: archive([{ name: '././@LongLink', type: 'L', content: 'Dockerfile\0' }], false),
    }),
  },
  'a link': { context: plain({ ...evil, name: 'x.Dockerfile' }, link('Dockerfile', 'x.Dockerfile')) },
  'a link to what has another name': { context: plain({ ...evil, name: 'x' }, link('Dockerfile', 'x')) },
  'a link that comes first': {
    context: plain(good, { name: 'Dockerfile', type: '2', link: 'x' }, { ...evil, name: 'x' }),
  },
  'a link that seems to lead out': { context: plain({ ...evil, name: 'x' }, link('Dockerfile', '/x')) },
  'a hard link': { context: plain({ ...evil, name: 'x' }, { name: 'Dockerfile', type: '1', link: 'x' }) },
  'a file that is written through a link of its folder': {
    context: plain(good, link('d', '.'), { ...evil, name: 'd/Dockerfile' }),
  },
  'a file behind a link, by its own name': {
    context: plain(good, { ...evil, name: 'e/Dockerfile' }, link('d', 'e')),
    query: { dockerfile: 'd/Dockerfile' },
  },
  'another file that is named': {
    context: plain(good, { ...evil, name: 'x/y' }),
    query: { dockerfile: './x//z/../y' },
  },
  'lower case': { context: plain({ ...evil, name: 'dockerfile' }) },
  'one that .dockerignore leaves out': { context: plain({ name: '.dockerignore', content: 'Dockerfile\n*\n' }, evil) },
  packed: { context: gzipSync(plain(evil)) },
  'packed in two members': {
    context: Buffer.concat([gzipSync(plain(good, evil).subarray(0, 900)), gzipSync(plain(good, evil).subarray(900))]),
  },
  'packed twice': { context: gzipSync(gzipSync(plain(evil))), control: 'refused' },
  'behind the end': { context: Buffer.concat([plain(good), plain(evil)]), control: 'harmless' },
  'behind one block of zeros': {
    context: Buffer.concat([archive([good], false), Buffer.alloc(512), plain(evil)]),
    control: 'refused',
  },
  'a header at the end, for whatever is added': {
    context: Buffer.concat([archive([evil], false), pax({ path: 'elsewhere' })]),
  },
  'a size that hides the last entry': {
    context: plain(evil, { name: 'x', content: '', extension: pax({ size: '1024' }) }),
  },
  'a size for a link, which has no contents': {
    context: Buffer.concat([plain(good).subarray(0, 1024), sized(link('x', 'y'), 1024), plain(evil)]),
  },
  'a global header that names the next entry': {
    context: Buffer.concat([retyped(pax({ path: 'x' }), 'g'), plain(evil)]),
  },
  'an argument': {
    context: plain({ ...good, content: 'ARG X=busybox\nFROM $X\n' }),
    query: { buildargs: JSON.stringify({ X: secret }) },
  },
  'a mark in front and returns at the end': {
    context: plain({ ...evil, content: `\ufeffFROM \\\r\n  ${secret}\r\n` }),
  },
  'an escape token': { context: plain({ ...evil, content: `# escape=\`\nFROM \`\n${secret}\n` }) },
  'a comment that goes on': { context: plain({ ...evil, content: `# x \\\nFROM ${secret}\n` }) },
};

/** With that size, though nothing follows. */
function sized(made: Made, size: number): Buffer {
  return archive([{ ...made, size: `${size.toString(8).padStart(11, '0')}\0` }], false);
}

function retyped(blocks: Buffer, type: string): Buffer {
  const bytes = Buffer.from(blocks);
  const sum = Number.parseInt(bytes.toString('latin1', 148, 154), 8) + type.charCodeAt(0) - (bytes[156] as number);
  bytes.write(type, 156, 'latin1');
  bytes.write(sum.toString(8).padStart(6, '0'), 148, 'latin1');
  return bytes;
}

describeEachEngine(
  'build contexts',
  (engine) => {
    let berthgate: InProcess;
    beforeAll(async () => {
      await docker(engine, ['build', '-t', secret, '-'], {
        env: { DOCKER_BUILDKIT: '0' },
        input: `FROM busybox\nLABEL secret=${run}\n`,
      });
      berthgate = await serveInFrontOf(engine.host, { policies: [{ use: 'images', build: { deny: [secret] } }] });
    });
    afterAll(async () => {
      await berthgate?.stop();
      await dockerCli(engine, ['rmi', '-f', secret]);
    });

    test.for(Object.entries(tricks))(
      '%s: nothing is built from what is denied',
      async ([, { context, query, control = 'secret' }]) => {
        const direct = await build(engine.socket, context, query);
        expect([direct.made, direct.text]).toEqual([control, expect.any(String)]);
        const judged = await build(berthgate.socket, context, query);
        if (control === 'harmless') expect([judged.made, judged.text]).toEqual(['harmless', expect.any(String)]);
        else expect([judged.made, judged.text]).toEqual(['refused', expect.stringMatching(/^berthgate: /)]);
      },
    );

    test('what is meant to be the mark of a packing is not taken for one', async () => {
      // A tar for whoever reads tars, and a packed one for the engine, if it came so far.
      const polyglot = archive([{ name: '\x1f\x8b\x08', content: '' }, evil], false);
      expect((await build(berthgate.socket, Buffer.concat([polyglot, END]))).made).toBe('refused');
    });
  },
  ({ name, socket }) => name !== '26.1' && socket !== '',
);

interface Outcome {
  readonly made: 'secret' | 'harmless' | 'refused';
  readonly text: string;
}

/** In pieces, so that no header comes as a whole. */
function build(socketPath: string, context: Buffer, query: Readonly<Record<string, string>> = {}): Promise<Outcome> {
  const path = `/v1.41/build?${new URLSearchParams(query)}`;
  const headers = { 'Content-Type': 'application/x-tar', 'Transfer-Encoding': 'chunked' };
  return new Promise((resolve, reject) => {
    const call = request({ socketPath, method: 'POST', path, headers, agent: false }, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', reject);
      answer.on('end', () => {
        const text = said(Buffer.concat(pieces).toString());
        const built = /Successfully built/.test(text);
        const from = text.includes(secret) || /ARG X/.test(text);
        resolve({ made: built ? (from ? 'secret' : 'harmless') : 'refused', text });
      });
    });
    call.on('error', reject);
    for (let at = 0; at < context.length; at += 700) call.write(context.subarray(at, at + 700));
    call.end();
  });
}

function said(body: string): string {
  return body
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => JSON.parse(line) as { stream?: string; error?: string; message?: string })
    .map(({ stream, error, message }) => stream ?? error ?? message ?? '')
    .join('\n');
}
