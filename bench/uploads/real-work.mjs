// What is uploaded to a real engine: images, archives, contexts of builds, and what is none of them. All that this makes
// there begins with `berthgate-uploads`, and is removed.

import { execFileSync } from 'node:child_process';
import { randomFillSync } from 'node:crypto';
import { callEngine } from '../harness/engine-call.mjs';
import { needPrograms } from '../harness/programs.mjs';

const NAME = 'berthgate-uploads';
const MOST_OUTPUT = 2 ** 30;

/** `sockets`: of Berthgate, by kind of listener. */
export async function realWork(sockets, random, most) {
  needPrograms('docker');
  const docker = (kind, args, input) =>
    execFileSync('docker', ['-H', `unix://${sockets[kind]}`, ...args], {
      input,
      maxBuffer: MOST_OUTPUT,
      stdio: ['pipe', 'pipe', 'pipe'],
    });
  const images = [];
  for (const [i, bytes] of [10_000, Math.ceil(most / 8), most].entries()) {
    docker('plain', ['import', '-', `${NAME}:${i}`], archiveOf('file', randomFillSync(Buffer.alloc(bytes))));
    images.push(docker('plain', ['save', `${NAME}:${i}`]));
  }
  const kinds = Object.keys(sockets);
  for (const kind of kinds) {
    docker(kind, ['load', '--quiet'], images[0]);
    docker(kind, ['create', '--name', NAME, '--network', 'none', `${NAME}:0`, 'none']);
  }
  const pick = (list) => list[Math.floor(random() * list.length)];
  const some = () => Math.floor(random() * random() * most);
  const isTaken = (status) => status === '200';
  const isSaid = (status) => /^[245]\d\d$/.test(status);
  const archive = (to) => `/v1.41/containers/${to}/archive?path=/`;
  const draws = [
    () => ({ kind: 'load', method: 'POST', path: '/v1.41/images/load?quiet=1', body: pick(images), isRight: isTaken }),
    () => ({
      kind: 'archive',
      method: 'PUT',
      path: archive(NAME),
      body: archiveOf('file', Buffer.alloc(some(), 'x')),
      isRight: isTaken,
    }),
    () => ({
      kind: 'archive for nobody',
      method: 'PUT',
      path: archive(`${NAME}-none`),
      body: Buffer.alloc(some()),
      isRight: isSaid,
    }),
    () => ({
      kind: 'no archive',
      method: 'PUT',
      path: archive(NAME),
      body: Buffer.alloc(some(), 'x'),
      isRight: isSaid,
    }),
    () => ({
      kind: 'no image',
      method: 'POST',
      path: '/v1.41/images/load',
      body: Buffer.alloc(some(), 'x'),
      isRight: isSaid,
    }),
    () => ({
      kind: 'no Dockerfile',
      method: 'POST',
      path: '/v1.41/build?dockerfile=Dockerfile',
      body: archiveOf('file', Buffer.alloc(some(), 'x')),
      isRight: isSaid,
    }),
  ];
  return {
    next: async () => {
      const drawn = pick(draws)();
      return { ...drawn, mayBeCut: drawn.isRight === isSaid };
    },
    async clean() {
      for (const kind of kinds) {
        await callEngine(sockets[kind], 'DELETE', `/containers/${NAME}?force=1`);
        for (const i of images.keys()) await callEngine(sockets[kind], 'DELETE', `/images/${NAME}:${i}?force=1`);
      }
    },
  };
}

/** A tar of one file (ustar). */
function archiveOf(name, bytes) {
  const header = Buffer.alloc(512);
  const octal = (number, width) => `${number.toString(8).padStart(width - 1, '0')}\0`;
  header.write(name, 0);
  header.write(`${octal(0o644, 8)}${octal(0, 8)}${octal(0, 8)}${octal(bytes.length, 12)}${octal(0, 12)}        0`, 100);
  header.write('ustar\x0000', 257);
  header.write(
    `${octal(
      header.reduce((sum, byte) => sum + byte),
      7,
    )} `,
    148,
  );
  return Buffer.concat([header, bytes, Buffer.alloc(1024 + ((512 - (bytes.length % 512)) % 512))]);
}
