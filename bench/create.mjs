// What a container costs to make and remove: one after the other, through each contender in turn, on a real engine.
//
//   node bench/create.mjs --engine unix:///run/docker.sock [--quick] [--rounds 5] [--pairs 40] [--json FILE]
//                         [--only berthgate-guarded,berthgate,direct]
//
// A pair is `POST /containers/create` and `DELETE`, over a kept connection; the contenders take turns pair by pair, since
// what the engine needs for one differs more than what is measured. Needs an image on the engine.

import { Agent, request } from 'node:http';
import { callEngine } from './harness/engine-call.mjs';
import { readOptions } from './harness/options.mjs';
import { Report } from './harness/report.mjs';
import { medians, ratio } from './harness/rounds.mjs';
import { EVERYBODY, pidOfSocket, socketOf, startContenders } from './harness/stage.mjs';

const options = readOptions(import.meta.url, {
  engine: { type: 'string', default: 'unix:///run/docker.sock' },
  only: { type: 'string', default: 'berthgate-guarded,berthgate,direct' },
  pairs: { type: 'string' },
});
const pairs = Number(options.pairs ?? (options.quick ? 5 : 40));
const report = new Report('create');
const socket = socketOf(options.engine);
const [image] = JSON.parse((await callEngine(socket, 'GET', '/v1.41/images/json')).text);
if (image === undefined) throw new Error('the engine has no image: a container cannot be made');

const names = options.only.split(',').filter((name) => EVERYBODY.includes(name));
const contenders = await startContenders(names, {
  socket,
  folder: options.folder,
  main: options.berthgate,
  enginePid: pidOfSocket(socket),
});
const agents = new Map(contenders.map((one) => [one, new Agent({ keepAlive: true, maxSockets: 1 })]));
try {
  for (const one of contenders) await pair(one);
  const figures = new Map(contenders.map(({ name }) => [name, []]));
  for (let round = 0; round < options.rounds; round++) await takeRound(round, figures);
  const rows = contenders.map(({ name }) => ({
    name,
    figures: { ...medians(figures.get(name)), ofDirect: ratio(figures, name, 'direct', 'both') },
  }));
  report.table(
    `create and remove, ${pairs} pairs a round, a real engine`,
    [
      { key: 'create', title: 'create ms' },
      { key: 'remove', title: 'remove ms' },
      { key: 'both', title: 'both ms' },
      { key: 'cpu', title: 'CPU ms a pair' },
      { key: 'ofDirect', title: 'of direct', digits: 3 },
    ],
    rows,
  );
  if (figures.has('berthgate-guarded') && figures.has('direct')) {
    const value = ratio(figures, 'berthgate-guarded', 'direct', 'both');
    report.aim('create and remove with conservative and limits, of directly', value, { atMost: 1.03 });
  }
} finally {
  for (const agent of agents.values()) agent.destroy();
  for (const one of contenders) await one.stop();
}
report.finish(options.json);
process.exit(0);

/** Medians of each contender's pairs. */
async function takeRound(round, figures) {
  const taken = new Map(contenders.map((one) => [one, []]));
  const before = new Map(contenders.map((one) => [one, one.cpu()]));
  for (let at = 0; at < pairs; at++) {
    for (let i = 0; i < contenders.length; i++) {
      const one = contenders[(i + at + round) % contenders.length];
      taken.get(one).push(await pair(one));
    }
  }
  for (const one of contenders) {
    const cpu = ((one.cpu() - before.get(one)) / pairs) * 1000;
    figures.get(one.name).push({ ...medians(taken.get(one)), cpu });
  }
}

async function pair(one) {
  const body = JSON.stringify({ Image: image.Id, Cmd: ['true'], HostConfig: { NetworkMode: 'default' } });
  const began = performance.now();
  const made = await call(one, 'POST', '/v1.41/containers/create', body);
  if (made.status !== 201) throw new Error(`${one.name}: ${made.status} ${made.text}`);
  const created = performance.now();
  const { Id: id } = JSON.parse(made.text);
  const gone = await call(one, 'DELETE', `/v1.41/containers/${id}`, null);
  if (gone.status !== 204) throw new Error(`${one.name}: ${gone.status} ${gone.text}`);
  const ended = performance.now();
  return { create: created - began, remove: ended - created, both: ended - began };
}

function call(one, method, path, body) {
  return new Promise((resolve, reject) => {
    const headers =
      body === null ? {} : { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(body) };
    const sent = request({ socketPath: one.unix, agent: agents.get(one), method, path, headers }, (answer) => {
      let text = '';
      answer.setEncoding('utf8');
      answer.on('data', (piece) => {
        text += piece;
      });
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode, text }));
    });
    sent.on('error', reject);
    sent.end(body ?? undefined);
  });
}
