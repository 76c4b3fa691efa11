// Who the contract holds for: the fake engine as an old and as a new one, and every real engine that is up.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect } from 'vitest';
import { engines } from '../engines/index.ts';
import { FakeEngine } from './fake-engine.ts';
import { type Ask, ask, RawClient, requestBytes, type WholeAnswer } from './raw-client.ts';

export interface Subject {
  readonly socket: string;
  /** `1.41` and its minor number. */
  readonly newest: string;
  readonly minor: number;
  /** What output without a terminal is called. */
  readonly multiplexed: string;
  /** One call on a connection of its own, with the newest version in its path. */
  call(method: string, path: string, given?: Ask): Promise<WholeAnswer>;
  /** The same, sent and not yet answered. */
  sending(method: string, path: string, given?: Ask): Promise<RawClient>;
  /** Makes a container of busybox; it is removed at the end. */
  create(config: Readonly<Record<string, unknown>>): Promise<string>;
  started(config: Readonly<Record<string, unknown>>): Promise<string>;
  remember(id: string): void;
}

/** Begins the names of everything that a run makes. */
export const TAG = `contract-${randomBytes(3).toString('hex')}`;
export const UPGRADE = { Connection: 'Upgrade', Upgrade: 'tcp' };

interface Place {
  readonly name: string;
  readonly newest: string;
  open(): Promise<{ readonly socket: string; close(): Promise<void> }>;
}

const real: readonly Place[] = engines()
  .filter(({ socket }) => socket !== '')
  .map(({ name, apiVersion, socket }) => ({
    name,
    newest: apiVersion,
    open: async () => ({ socket, close: async () => {} }),
  }));

function fake(newest: number): Place {
  return {
    name: `fake 1.${newest}`,
    newest: `1.${newest}`,
    async open() {
      const engine = await FakeEngine.start({ newest });
      return { socket: engine.socket, close: () => engine.stop() };
    },
  };
}

export function describeContract(name: string, tests: (subject: Subject) => void): void {
  describe.each([fake(41), fake(51), ...real])(`${name} [$name]`, ({ newest, open }) => {
    const minor = Number(newest.slice(2));
    const made: string[] = [];
    let opened: Awaited<ReturnType<Place['open']>> | undefined;
    beforeAll(async () => {
      opened = await open();
    });
    afterAll(async () => {
      for (const id of made) await subject.call('DELETE', `/containers/${id}?force=1&v=1`);
      await opened?.close();
    });
    const subject: Subject = {
      get socket() {
        return opened?.socket ?? '';
      },
      newest,
      minor,
      multiplexed: minor >= 42 ? 'application/vnd.docker.multiplexed-stream' : 'application/vnd.docker.raw-stream',
      call: (method, path, given) => ask(subject.socket, method, `/v${newest}${path}`, given),
      async sending(method, path, given) {
        const client = await RawClient.connect(subject.socket);
        return client.send(requestBytes(method, `/v${newest}${path}`, given));
      },
      async create(config) {
        const answer = await subject.call('POST', '/containers/create', { body: { Image: 'busybox', ...config } });
        expect(answer.status, answer.text).toBe(201);
        const { Id } = answer.json<{ Id: string }>();
        made.push(Id);
        return Id;
      },
      async started(config) {
        const id = await subject.create(config);
        expect((await subject.call('POST', `/containers/${id}/start`)).status).toBe(204);
        return id;
      },
      remember: (id) => made.push(id),
    };
    tests(subject);
  });
}

/** A refusal as Docker's clients expect it. */
export function expectMessage(answer: WholeAnswer, status: number, words: RegExp): void {
  expect(answer.text).toMatch(words);
  expect(answer.status).toBe(status);
  expect(answer.header('content-type')).toBe('application/json');
  expect(Object.keys(answer.json())).toEqual(['message']);
  expect(answer.text.endsWith('}\n')).toBe(true);
}
