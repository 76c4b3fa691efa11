// The mixed calls of the soak: each knows what the right answer is, and what an engine that is away may be answered with.

import { Agent, request } from 'node:http';

/** What a client may be told while the engine is away. */
const AWAY = new Set([502, 503, 504]);
const PAYLOAD = Buffer.alloc(256 * 1024, 'berthgate ');

export class Worker {
  constructor(number, { to, image, resident, isAway, say }) {
    Object.assign(this, { number, to, image, resident, isAway, say });
    this.agent = new Agent({ keepAlive: true, maxSockets: 1 });
    this.calls = 0;
    this.refused = 0;
    this.turn = number;
    this.running = true;
  }

  async run() {
    const works = [this.ping, this.inspect, this.missing, this.info, this.writeAndRead, this.transfer, this.execute];
    while (this.running) {
      const work = works[this.turn++ % works.length];
      try {
        await work.call(this);
      } catch (fault) {
        if (!(fault instanceof EngineAway)) this.say(`${work.name}: ${fault.message}`);
        await new Promise((resolve) => setTimeout(resolve, 200));
      }
    }
    this.agent.destroy();
  }

  async ping() {
    const { text } = await this.call('GET', '/_ping', 200);
    if (text !== 'OK') throw new Error(`"${text}" instead of OK`);
  }

  async inspect() {
    const { text } = await this.call('GET', `/v1.41/containers/${this.resident}/json`, 200);
    if (JSON.parse(text).Name !== `/${this.resident}`) throw new Error('another container was shown');
  }

  async missing() {
    const { text } = await this.call('GET', `/v1.41/containers/no-such-${this.number}/json`, 404);
    if (!JSON.parse(text).message.includes('No such container')) throw new Error(`not dockerd's words: ${text}`);
  }

  async info() {
    const { text } = await this.call('GET', '/v1.41/info', 200);
    if (typeof JSON.parse(text).Containers !== 'number') throw new Error('info without a number of containers');
  }

  /** What was made is in the list at once, what was removed is not. */
  async writeAndRead() {
    const name = `soak-${process.pid}-${this.number}-${this.turn}`;
    const body = { Image: this.image, Cmd: ['true'], Labels: { soak: name } };
    const { text } = await this.call('POST', `/v1.41/containers/create?name=${name}`, 201, body);
    const { Id } = JSON.parse(text);
    if (!(await this.listed()).includes(Id)) throw new Error('what was made is not in the list');
    await this.call('DELETE', `/v1.41/containers/${Id}?force=1`, 204);
    if ((await this.listed()).includes(Id)) throw new Error('what was removed is in the list');
  }

  async listed() {
    return JSON.parse((await this.call('GET', '/v1.41/containers/json?all=1', 200)).text).map(({ Id }) => Id);
  }

  /** A file goes into a container and comes back as it was. */
  async transfer() {
    const name = `file-${this.number}`;
    const put = `/v1.41/containers/${this.resident}/archive?path=/tmp`;
    await this.call('PUT', put, 200, tarOf(name, PAYLOAD), 'application/x-tar');
    const { bytes } = await this.call('GET', `/v1.41/containers/${this.resident}/archive?path=/tmp/${name}`, 200);
    if (!bytes.subarray(512, 512 + PAYLOAD.length).equals(PAYLOAD)) throw new Error('the file came back changed');
  }

  async execute() {
    const word = `exec-${this.number}-${this.turn}`;
    const made = await this.call('POST', `/v1.41/containers/${this.resident}/exec`, 201, {
      Cmd: ['echo', word],
      AttachStdout: true,
    });
    const { Id } = JSON.parse(made.text);
    const { bytes } = await this.call('POST', `/v1.41/exec/${Id}/start`, 200, { Detach: false, Tty: false });
    // Raw bytes until the connection closes: an engine that is killed ends them as one that is done.
    if (this.isAway()) throw this.away();
    if (bytes.toString('latin1', 8) !== `${word}\n`)
      throw new Error(`"${bytes.toString('latin1')}" instead of ${word}`);
  }

  /** @throws EngineAway where the answer is what it may be while the engine is restarted */
  async call(method, path, expected, body, type = 'application/json') {
    const wasAway = this.isAway();
    const answer = await this.send(method, path, body, type).catch((fault) => fault);
    this.calls++;
    if (answer instanceof Error) {
      if (wasAway || this.isAway()) throw this.away();
      throw new Error(`${method} ${path}: ${answer.message}`);
    }
    if (answer.status === expected) return answer;
    if (wasAway || this.isAway()) {
      // Containers have gone with their engine: dockerd itself says 404 and 409 then.
      if (AWAY.has(answer.status) && typeof JSON.parse(answer.text).message !== 'string') throw new Error('no message');
      throw this.away();
    }
    throw new Error(`${method} ${path}: ${answer.status} instead of ${expected}: ${answer.text.slice(0, 200)}`);
  }

  away() {
    this.refused++;
    return new EngineAway();
  }

  send(method, path, body, type) {
    return new Promise((resolve, reject) => {
      const bytes = body === undefined || Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      const headers = bytes === undefined ? {} : { 'Content-Type': type, 'Content-Length': bytes.length };
      const options = { socketPath: this.to, agent: this.agent, method, path, headers, timeout: 30_000 };
      const call = request(options, (answer) => {
        const chunks = [];
        answer.on('data', (chunk) => chunks.push(chunk));
        answer.on('error', reject);
        answer.on('end', () => {
          const all = Buffer.concat(chunks);
          resolve({ status: answer.statusCode, bytes: all, text: all.toString() });
        });
      });
      call.on('timeout', () => call.destroy(new Error('no answer within 30 s')));
      call.on('error', reject);
      call.end(bytes);
    });
  }
}

class EngineAway extends Error {}

/** A tar of one file. */
function tarOf(name, content) {
  const head = Buffer.alloc(512);
  head.write(name, 0);
  head.write('0000644\0', 100);
  head.write('0000000\0', 108);
  head.write('0000000\0', 116);
  head.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
  head.write('00000000000\0', 136);
  head.write('        ', 148);
  head.write('0', 156);
  head.write('ustar\0', 257);
  head.write('00', 263);
  const sum = head.reduce((total, byte) => total + byte, 0);
  head.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148);
  const padding = Buffer.alloc((512 - (content.length % 512)) % 512);
  return Buffer.concat([head, content, padding, Buffer.alloc(1024)]);
}
