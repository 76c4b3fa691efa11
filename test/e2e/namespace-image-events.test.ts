// Events of images in a namespace: what an engine of one's own would tell of the same calls, and nothing of anybody else.
import { request } from 'node:http';
import { expect, test } from 'vitest';
import { docker } from '../engines/index.ts';
import { describeImageUsers, type Say } from './image-users.ts';

interface Event {
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
}

describeImageUsers('events of images', ({ engine, alice, bob, direct, at, run, gateway }) => {
  const filters = encodeURIComponent('{"type": ["image"]}');
  const told = async (say: Say, since: number, more = ''): Promise<readonly Event[]> => {
    const until = Date.now() / 1000;
    const { text } = await say(
      'GET',
      `/events?since=${since.toFixed(6)}&until=${until.toFixed(6)}&filters=${more === '' ? filters : encodeURIComponent(more)}`,
    );
    return text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => JSON.parse(line) as Event);
  };
  /** One of everything that makes events, under names that begin so. */
  const act = async (target: { readonly host: string }, say: Say, name: string): Promise<void> => {
    const cli = (...args: readonly string[]) => docker(target, args);
    await cli('tag', 'busybox', `${name}:1`);
    const imported = await say(
      'POST',
      `/images/create?fromSrc=-&repo=${name}&tag=imported&changes=LABEL%20who=${name}`,
      { body: Buffer.alloc(1024) },
    );
    expect(imported.status).toBe(200);
    const container = await cli('create', 'busybox', 'true');
    await cli('commit', container, `${name}:committed`);
    const archive = await say('GET', `/images/${name}:imported/get`);
    await cli('rmi', `${name}:imported`);
    await say('POST', '/images/load', { body: archive.body, headers: { 'Content-Type': 'application/x-tar' } });
    await docker(target, ['build', '-q', '-t', `${name}:built`, '-'], {
      input: `FROM busybox\nLABEL by=${run}\n`,
      env: { DOCKER_BUILDKIT: '0' },
    });
    await cli('rmi', `${name}:1`, `${name}:committed`, `${name}:imported`, `${name}:built`);
    await cli('rm', container);
  };
  const words = (events: readonly Event[], name: string): readonly string[] =>
    events.map(({ Action, Actor: { ID, Attributes } }) => {
      const said = (text = '') => (text.startsWith('sha256:') ? 'ID' : text.replace(name, 'NAME'));
      return `${Action} ${said(ID)} ${said(Attributes.name)} ${said(Attributes.who)}`;
    });

  test('are told in the words of an engine of one’s own, live and afterwards, to whom they belong', async () => {
    const since = Date.now() / 1000;
    const mine = `events-${run}`;
    const live: Event[] = [];
    const stream = new AbortController();
    const heard = follow(at('alice').host, `/events?filters=${filters}`, stream.signal, (event) => live.push(event));
    await heard.begun;
    await act(at('alice'), alice, mine);
    const own = await told(alice, since);
    await expect.poll(() => live.length, { timeout: 20_000 }).toBeGreaterThanOrEqual(own.length);
    stream.abort();
    await heard.ended;
    expect(live).toEqual(own);
    expect(JSON.stringify(own)).not.toMatch(/127\.0\.0\.1|im-|u_image|berthgate/);
    expect(JSON.stringify(own)).not.toContain(gateway());
    expect(await told(bob, since)).toEqual([]);
    // The same at the engine itself.
    const before = Date.now() / 1000;
    const theirs = `direct-${run}`;
    await act(engine, direct, theirs);
    const all = await told(direct, before);
    const ids = new Set(all.filter(({ Actor }) => JSON.stringify(Actor).includes(theirs)).map(({ Actor }) => Actor.ID));
    // Of what others do meanwhile, not here.
    const busybox = (await direct('GET', '/images/busybox/json')).json<{ Id: string }>().Id;
    const same = (events: readonly Event[], known: ReadonlySet<string>) =>
      events.filter(({ Actor }) => known.has(Actor.ID) && Actor.ID !== busybox);
    const mineIds = new Set(own.map(({ Actor }) => Actor.ID));
    // Layers go with an image, by ids that were never anybody's; an image that is just made has no name yet.
    const without = (list: readonly string[]) => list.filter((word) => !/^(delete|create)/.test(word)).sort();
    expect(without(words(same(own, mineIds), mine))).toEqual(without(words(same(all, ids), theirs)));
    expect(own.filter(({ Actor }) => Actor.ID === busybox).map(({ Action }) => Action)).toEqual(['tag', 'untag']);
    expect(words(own, mine)).toContain('delete ID ID ');
  });

  test('are filtered by what the client knows', async () => {
    const since = Date.now() / 1000;
    await docker(at('alice'), ['tag', 'busybox', `one-${run}:1`]);
    await docker(at('alice'), ['tag', 'busybox', `two-${run}:1`]);
    await docker(at('bob'), ['tag', 'busybox', `one-${run}:1`]);
    const names = async (more: object) =>
      (await told(alice, since, JSON.stringify({ type: ['image'], ...more }))).map(
        ({ Actor }) => Actor.Attributes.name,
      );
    expect(await names({ image: [`one-${run}:1`] })).toEqual([`one-${run}:1`]);
    expect(await names({ event: ['tag'] })).toEqual([`one-${run}:1`, `two-${run}:1`]);
    expect(await names({ event: ['pull'] })).toEqual([]);
  });
});

interface Heard {
  readonly begun: Promise<void>;
  readonly ended: Promise<void>;
}

/** Until it is aborted. */
function follow(host: string, path: string, signal: AbortSignal, onEvent: (event: Event) => void): Heard {
  let begin: () => void = () => {};
  const begun = new Promise<void>((resolve) => {
    begin = resolve;
  });
  const ended = new Promise<void>((resolve) => {
    const call = request({ socketPath: new URL(host).pathname, path, signal }, (answer) => {
      begin();
      let rest = '';
      answer.setEncoding('utf8');
      answer.on('data', (text: string) => {
        const lines = `${rest}${text}`.split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) if (line !== '') onEvent(JSON.parse(line) as Event);
      });
      answer.on('error', () => resolve());
      answer.on('close', () => resolve());
    });
    call.on('error', () => resolve());
    call.end();
  });
  return { begun, ended };
}
