// Jobs over restarts, races and late answers of their engine, which is told of here event by event.

import { expect, test } from 'vitest';
import type { SocketNote } from '../../../src/docker/socket-note.ts';
import { printSocketNote } from '../../../src/docker/socket-note.ts';
import { emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { EventKeeper } from '../../../src/exchange/event-feed.ts';
import { EventFeed } from '../../../src/exchange/event-feed.ts';
import type { Json } from '../../../src/ground/json.ts';
import { GiveSockets } from '../../../src/jobs/give-sockets.ts';
import { JobSockets, type JobSocketsOptions } from '../../../src/jobs/job-sockets.ts';
import { JobTally } from '../../../src/jobs/job-tally.ts';
import { SocketFolders } from '../../../src/jobs/socket-folders.ts';

const JOB = `j-${'1'.repeat(20)}`;
const GROUP = { label: 'com.example.job', value: '7' };
const owner = { user: 'runner', groups: [], claims: {}, by: 'peer' };
const note: SocketNote = {
  job: JOB,
  temporary: true,
  nested: false,
  listener: 'ci',
  parent: 'ci',
  home: 'ci',
  owner,
  group: GROUP,
  folder: 'a'.repeat(20),
  linked: ['/var/run/docker.sock'],
  bound: [],
};
const nested: SocketNote = { ...note, nested: true, parent: JOB, folder: 'b'.repeat(20) };
const nextStage: SocketNote = { ...note, folder: 'e'.repeat(20) };

function labelsOf(of: SocketNote): Record<string, string> {
  const labels = { 'berthgate.instance': 'here', 'berthgate.namespace': of.parent };
  return { ...labels, 'berthgate.socket': printSocketNote(of), ...(of.nested ? { 'berthgate.job': JOB } : {}) };
}

function listed(of: SocketNote, name: string): Json {
  return { Id: name, Names: [`/${of.parent}.${name}`], Labels: labelsOf(of), State: 'running' };
}

class Folders extends SocketFolders {
  readonly gone: string[] = [];
  constructor() {
    super('/nowhere');
  }
  override async make(): Promise<string> {
    return 'c'.repeat(20);
  }
  override async restore(): Promise<void> {}
  override async remove(name: string): Promise<void> {
    this.gone.push(name);
  }
}

/** `containers`: what the engine lists; `more`: what is otherwise. */
function engineWith(containers: readonly Json[], more: Partial<JobSocketsOptions> = {}) {
  let keeper: EventKeeper | undefined;
  const destroyed: string[] = [];
  const folders = new Folders();
  const desk: JobSocketsOptions['desk'] = {
    ...emptyDesk('engine'),
    ask: async (endpoint) => (endpoint === 'ContainerList' ? [...containers] : endpoint === 'VolumeList' ? null : []),
    order: async () => ({ status: 200, answer: null }),
  };
  const feed = new EventFeed(desk);
  feed.keep = (one) => {
    keeper = one;
    return () => {};
  };
  let onLooked = (): void => {};
  let onEnded = (): void => {};
  const looked = new Promise<void>((resolve) => {
    onLooked = resolve;
  });
  const ended = new Promise<void>((resolve) => {
    onEnded = resolve;
  });
  const sockets = new JobSockets({
    desk,
    feed,
    installation: 'here',
    folders,
    tally: new JobTally(),
    log: { info: () => {}, warn: () => {} },
    lingerMs: () => 0,
    serve: async () => ({ speakFor: () => {}, refuse: () => {}, end: () => {} }),
    destroy: async (namespace) => {
      destroyed.push(namespace);
      onEnded();
      return 0;
    },
    orphans: async () => [],
    jobOfImage: () => null,
    onLooked,
    ...more,
  });
  sockets.start();
  keeper?.onBegin();
  const tell = (action: string, of: Record<string, string>, id: string, name: string): void =>
    keeper?.onEvent({ Type: 'container', Action: action, Actor: { ID: id, Attributes: { ...of, name } } });
  const tellImage = (name: string): void =>
    keeper?.onEvent({ Type: 'image', Action: 'tag', Actor: { ID: 'sha256:1', Attributes: { name } }, timeNano: 1 });
  return { sockets, desk, folders, destroyed, looked, ended, tell, tellImage };
}

test('after a restart a job is known by what began it, also where the engine first tells of what it has made', async () => {
  const { sockets, looked } = engineWith([listed(nested, 'ryuk'), listed(note, 'build')]);
  await looked;
  expect(sockets.ofGroup({ listener: 'ci', parent: 'ci', group: GROUP })?.id).toBe(JOB);
  expect(sockets.living().map((job) => job.note.parent)).toEqual(['ci']);
});

test('where a process ends jobs before the engine has told what there is, none ends whose holder is told of last', async () => {
  const other = `j-${'2'.repeat(20)}`;
  const { sockets, looked, destroyed, ended, tell } = engineWith([listed(nested, 'ryuk'), listed(note, 'build')]);
  sockets.sweep();
  await looked;
  tell('create', { ...labelsOf(nested), 'berthgate.socket': '', 'berthgate.job': other }, '2', `${other}.late`);
  await ended;
  expect(destroyed).toEqual([other]);
  // The control: with its holder it ends.
  tell('destroy', labelsOf(note), 'build', 'ci.build');
  await expect.poll(() => destroyed).toEqual([other, JOB]);
});

test('after a restart several sockets are served at a time, and never all at once', async () => {
  const many = Array.from({ length: 20 }, (_, at): SocketNote => {
    const digits = String(at).padStart(20, '0');
    return { ...note, job: `j-${digits}`, folder: digits, group: null };
  });
  let now = 0;
  let most = 0;
  const { sockets, looked } = engineWith(
    many.map((one) => listed(one, `build-${one.folder}`)),
    {
      serve: async () => {
        most = Math.max(most, ++now);
        await new Promise((resolve) => setImmediate(resolve));
        now--;
        return { speakFor: () => {}, refuse: () => {}, end: () => {} };
      },
    },
  );
  await looked;
  expect(sockets.living()).toHaveLength(20);
  expect(most).toBe(8);
});

test('a job that another container of its group comes to does not end, also while the engine is asked whether any runs', async () => {
  const other = `j-${'2'.repeat(20)}`;
  const asked: { readonly status?: readonly string[] }[] = [];
  const { sockets, looked, destroyed, ended, tell } = engineWith([], {
    desk: {
      ...emptyDesk('engine'),
      ask: async (endpoint, { query = {} } = {}) => {
        const filters = (query.filters ?? {}) as { readonly status?: readonly string[] };
        if (endpoint !== 'ContainerList') return null;
        asked.push(filters);
        if (filters.status === undefined) return [{ ...(listed(note, 'first') as object), State: 'exited' }];
        if (sockets.living().some(({ holders }) => holders.has(nextStage.folder))) return [];
        await sockets.open(nextStage);
        tell('create', { ...labelsOf(nested), 'berthgate.socket': '', 'berthgate.job': other }, '2', `${other}.late`);
        return [];
      },
    },
  });
  await looked;
  sockets.sweep();
  await ended;
  // That of the group was decided upon before.
  expect(asked.some(({ status }) => status !== undefined)).toBe(true);
  expect(destroyed).toEqual([other]);
});

test('a job whose containers have all ended does so also when one more was to be made, and could not be', async () => {
  const before = { ...note, group: null };
  const more = { ...nextStage, group: null };
  const exited = { ...(listed(before, 'build') as object), State: 'exited' };
  const { sockets, looked, destroyed, ended } = engineWith([exited]);
  await looked;
  await sockets.open(more);
  sockets.sweep();
  // It is done with what it has seen, a container that is being made, when this is asked.
  await new Promise<void>((resolve) => {
    sockets.serveAnew(() => {
      resolve();
      return true;
    });
  });
  await sockets.failed(more);
  await ended;
  expect(destroyed).toEqual([JOB]);
});

test('a container that cannot be served keeps no other from being served', async () => {
  const served: string[] = [];
  let looks = 0;
  const other = { ...note, job: `j-${'2'.repeat(20)}`, folder: 'd'.repeat(20), group: null };
  const { looked, desk } = engineWith([], {
    serve: async ({ job }) => {
      if (job === JOB) throw new Error('no listener has job sockets');
      served.push(job);
      return { speakFor: () => {}, refuse: () => {}, end: () => {} };
    },
    desk: {
      ...emptyDesk('engine'),
      ask: async () => {
        looks++;
        return [listed(note, 'build'), listed(other, 'other')];
      },
    },
  });
  await looked;
  expect(desk.name).toBe('engine');
  expect(served).toEqual([other.job]);
  expect(looks).toBe(1);
});

test('a container that an engine has made when its job had ended is removed too', async () => {
  const { sockets, looked, destroyed, ended, tell } = engineWith([]);
  await looked;
  sockets.sweep();
  const { 'berthgate.socket': _, ...late } = labelsOf(nested);
  // The control: what is no job's is not.
  tell('create', { ...late, 'berthgate.job': '' }, '1', 'ci.web');
  tell('create', late, '2', `${JOB}.late`);
  await ended;
  expect(destroyed).toEqual([JOB]);
});

test('an image that an engine names when its job has ended is removed too, also where the engine does not answer at first', async () => {
  let asked = 0;
  let onGone = (): void => {};
  const gone = new Promise<void>((resolve) => {
    onGone = resolve;
  });
  const { sockets, looked, destroyed, ended, tellImage } = engineWith([], {
    jobOfImage: (name) => (name.startsWith('ours/') ? JOB : null),
    orphans: async () => {
      asked++;
      if (asked === 2) {
        onGone();
        throw new Error('the engine does not answer');
      }
      return asked === 1 ? [] : [JOB];
    },
  });
  await looked;
  sockets.sweep();
  await expect.poll(() => asked).toBe(1);
  // The control: what is nobody's here is not looked for.
  tellImage('theirs/app:1');
  tellImage('ours/app:1');
  await gone;
  expect([asked, destroyed]).toEqual([2, []]);
  await ended;
  expect(destroyed).toEqual([JOB]);
});

test('however many images an engine names for a job that has gone, it is asked what is there no more often than needed', async () => {
  let [asked, sought] = [0, 0];
  const { sockets, looked, tellImage } = engineWith([], {
    desk: {
      ...emptyDesk('engine'),
      ask: async (): Promise<Json> => {
        asked++;
        return [];
      },
    },
    jobOfImage: () => JOB,
    orphans: async () => {
      sought++;
      return [];
    },
  });
  await looked;
  sockets.sweep();
  await expect.poll(() => sought).toBe(1);
  const before = asked;
  for (let at = 0; at < 50; at++) tellImage(`ours/app:${at}`);
  await expect.poll(() => sought).toBe(2);
  for (let turn = 0; turn < 500; turn++) await new Promise((resolve) => setImmediate(resolve));
  expect(asked - before).toBeLessThan(10);
});

function giving(
  { sockets, desk, folders }: Pick<ReturnType<typeof engineWith>, 'sockets' | 'desk' | 'folders'>,
  more: object,
) {
  const giver = new GiveSockets({
    desk,
    sockets,
    folders,
    listener: 'ci',
    groupBy: [GROUP.label],
    namespace: 'job',
    within: null,
  });
  const call = { identity: { ...owner }, namespace: 'ci', body: {}, sockets: ['/var/run/docker.sock'], ...more };
  return { giver, call: call as unknown as Parameters<typeof giver.give>[0] };
}

test('a container of a group that comes right after a restart has the job of those that are there', async () => {
  const { sockets, desk, folders, looked } = engineWith([listed(note, 'build')]);
  const { giver, call } = giving({ sockets, desk, folders }, { body: { Labels: { [GROUP.label]: GROUP.value } } });
  const given = giver.give(call);
  // Nothing of what is there is known yet.
  expect(sockets.living()).toEqual([]);
  await looked;
  await given;
  expect(sockets.living().map(({ id, holders }) => [id, holders.size])).toEqual([[JOB, 2]]);
});

test.each(['/', '/\0'])('a container is given no socket at %j, which nobody could find again', async (path) => {
  const { sockets, desk, folders } = engineWith([]);
  const { giver, call } = giving({ sockets, desk, folders }, { sockets: [path] });
  await expect(giver.give(call)).rejects.toThrow('no socket can be put at');
  expect(sockets.living()).toEqual([]);
  expect(folders.gone).toHaveLength(1);
  await expect(giver.give({ ...call, sockets: ['/var/run/docker.sock'] })).resolves.toBeDefined();
  expect(sockets.living()).toHaveLength(1);
});

test('sockets that may not be served any more are silent, and are served again when they may', async () => {
  const told: string[] = [];
  let isServed = true;
  const { sockets, looked, destroyed, tell } = engineWith([listed(note, 'build')], {
    serve: async () => {
      if (!isServed) return null;
      told.push('served');
      return { speakFor: () => {}, refuse: () => {}, end: () => told.push('ended') };
    },
  });
  await looked;
  sockets.sweep();
  isServed = false;
  sockets.serveAnew(() => false);
  await expect.poll(() => told).toEqual(['served', 'ended']);
  // A start of it serves nothing, and ends nothing.
  tell('start', labelsOf(note), 'build', 'ci.build');
  isServed = true;
  sockets.serveAnew(() => true);
  await expect.poll(() => told).toEqual(['served', 'ended', 'served']);
  expect(sockets.living().map(({ id }) => id)).toEqual([JOB]);
  expect(destroyed).toEqual([]);
});

test('while a container says of its socket what nobody here reads, no job ends that it may hold', async () => {
  const labels = { ...labelsOf(note), 'berthgate.socket': '{"v":2,"job":"of a newer version"}' };
  const holder = { Id: '1', Names: ['/ci.build'], Labels: labels, State: 'running' };
  const warned: object[] = [];
  const { sockets, looked, destroyed, ended, tell } = engineWith([holder], {
    orphans: async () => [JOB],
    log: { info: () => {}, warn: (facts) => warned.push(facts) },
  });
  await looked;
  sockets.sweep();
  const { 'berthgate.socket': _, ...late } = labelsOf(nested);
  tell('create', late, '2', `${JOB}.late`);
  tell('start', labels, '1', 'ci.build');
  expect(sockets.mayHave('a'.repeat(20))).toBe(true);
  expect(warned).toMatchObject([{ container: 'ci.build' }]);
  expect(destroyed).toEqual([]);
  tell('destroy', labels, '1', 'ci.build');
  await ended;
  expect(destroyed).toEqual([JOB]);
  expect(sockets.mayHave('a'.repeat(20))).toBe(false);
});
