// What the fake engine answers about the things of its world. Where it knows nothing of an endpoint, the table speaks.
import { randomBytes } from 'node:crypto';
import type { Shape } from '../../src/docker/shape.ts';
import { type Json, printJson } from '../../src/ground/json.ts';
import { Sampler } from './sample.ts';
import { type Asked, attach, events, isSet, logs, startExec, wait } from './streams.ts';
import type { Container, ContainerConfig } from './world.ts';
import { EngineError } from './world.ts';

type Parameters = Readonly<Record<string, string>>;
/** True when the call has been taken. */
export type Handler = (asked: Asked, parameters: Parameters, answerShape: Shape | undefined) => void | Promise<void>;

const JSON_TYPE = ['Content-Type', 'application/json'] as const;

function answerJson({ request }: Asked, value: unknown, status = 200): void {
  request.answer({ status, headers: [JSON_TYPE] }, `${JSON.stringify(value)}\n`);
}

function answerEmpty({ request }: Asked, status = 204): void {
  request.answer({ status });
}

/** A sample of the whole shape, with what is known put in. */
function describe(shape: Shape | undefined, known: Readonly<Record<string, unknown>>): unknown {
  const sample = shape === undefined ? {} : (new Sampler().value(shape) as Record<string, Json>);
  return { ...JSON.parse(printJson(sample)), ...known };
}

async function body<T>({ request }: Asked): Promise<T> {
  const type = request.header('content-type');
  if (type === undefined) throw new EngineError(400, 'malformed Content-Type header (): mime: no media type');
  if (!/^application\/json\s*(;|$)/i.test(type)) {
    throw new EngineError(400, `unsupported Content-Type header (${type}): must be 'application/json'`);
  }
  const said = (await request.body).toString();
  if (said === '') throw new EngineError(400, 'invalid JSON: got EOF while reading request body');
  return JSON.parse(said) as T;
}

function state({ status, exitCode }: Container): Readonly<Record<string, unknown>> {
  return { Status: status, Running: status === 'running', ExitCode: exitCode, Paused: status === 'paused' };
}

const withContainer =
  (take: (asked: Asked, container: Container, shape: Shape | undefined) => void | Promise<void>): Handler =>
  (asked, { id = '' }, shape) =>
    take(asked, asked.world.find(id), shape);

function kill(asked: Asked, container: Container, signal: number): void {
  if (container.running === null || container.status !== 'running') {
    throw new EngineError(409, `cannot kill container: ${container.id}: container ${container.id} is not running`);
  }
  container.running.kill(signal);
  void container.running.ended.then(() => answerEmpty(asked));
}

export const handlers: Readonly<Record<string, Handler>> = {
  async ContainerCreate(asked) {
    const config = await body<ContainerConfig>(asked);
    if (config === null || Object.keys(config).length === 0) {
      throw new EngineError(400, 'config cannot be empty in order to create a container');
    }
    const { id } = asked.world.create((asked.query.get('name') ?? '').replace(/^\//, ''), config);
    answerJson(asked, { Id: id, Warnings: [] }, 201);
  },
  ContainerInspect: withContainer((asked, container, shape) => {
    const { id, name, config } = container;
    answerJson(
      asked,
      describe(shape, {
        Id: id,
        Name: `/${name}`,
        Config: config,
        HostConfig: config.HostConfig ?? {},
        State: state(container),
      }),
    );
  }),
  ContainerList(asked, _, shape) {
    const listed = shape?.kind === 'list' ? shape.of : undefined;
    const shown = [...asked.world.containers.values()].filter(
      ({ status }) => isSet(asked.query, 'all') || status === 'running',
    );
    answerJson(
      asked,
      shown.map(({ id, name, config, status, created }) =>
        describe(listed, {
          Id: id,
          Names: [`/${name}`],
          Image: config.Image,
          Labels: config.Labels ?? {},
          State: status,
          Created: created,
        }),
      ),
    );
  },
  ContainerStart: withContainer((asked, container) => answerEmpty(asked, asked.world.start(container) ? 204 : 304)),
  ContainerStop: withContainer((asked, container) => {
    if (container.status === 'running') kill(asked, container, 9);
    else answerEmpty(asked, 304);
  }),
  ContainerKill: withContainer((asked, container) => kill(asked, container, 9)),
  ContainerRename: withContainer((asked, container) => {
    asked.world.rename(container, asked.query.get('name') ?? '');
    answerEmpty(asked);
  }),
  ContainerWait: (asked, { id = '' }) => wait(asked, id),
  ContainerAttach: (asked, { id = '' }) => attach(asked, id),
  ContainerLogs: (asked, { id = '' }) => logs(asked, id),
  ContainerDelete: withContainer(async (asked, container) => {
    if (container.status === 'running') {
      if (!isSet(asked.query, 'force')) {
        throw new EngineError(
          409,
          `cannot remove container "${container.id}": container is running: stop the container before removing or force remove`,
        );
      }
      container.running?.kill(9);
      await container.running?.ended;
    }
    if (asked.world.containers.has(container.id)) asked.world.remove(container);
    answerEmpty(asked);
  }),
  PutContainerArchive: withContainer(async (asked, container) => {
    const path = asked.query.get('path') ?? '';
    if (path !== '/' && path !== '/tmp') {
      // The body is still on its way.
      throw new EngineError(404, `Could not find the file ${path} in container ${container.id}`);
    }
    await asked.request.body;
    answerEmpty(asked, 200);
  }),
  ContainerExec: withContainer(async (asked, container) => {
    const {
      Cmd = [],
      Tty = false,
      AttachStdin = false,
    } = await body<{ Cmd?: string[]; Tty?: boolean; AttachStdin?: boolean }>(asked);
    if (Cmd.length === 0) throw new EngineError(400, 'no exec command specified');
    answerJson(asked, { Id: asked.world.exec(container, [Cmd].flat(), Tty, AttachStdin).id }, 201);
  }),
  ExecStart: (asked, { id = '' }) => startExec(asked, asked.world.findExec(id)),
  ExecInspect(asked, { id = '' }, shape) {
    const exec = asked.world.findExec(id);
    const exitCode = exec.running?.exitCode ?? null;
    const running = exec.running !== null && exitCode === null;
    answerJson(
      asked,
      describe(shape, { ID: id, ContainerID: exec.container.id, Running: running, ExitCode: exitCode }),
    );
  },
  ImageInspect(asked, { name = '' }, shape) {
    const tagged = /:[^/]+$/.test(name) ? name : `${name}:latest`;
    if (!asked.world.images.has(tagged)) throw new EngineError(404, `No such image: ${tagged}`);
    answerJson(asked, describe(shape, { RepoTags: [tagged] }));
  },
  ImageList(asked, _, shape) {
    const listed = shape?.kind === 'list' ? shape.of : undefined;
    answerJson(
      asked,
      [...asked.world.images].map((tag) => describe(listed, { RepoTags: [tag] })),
    );
  },
  async VolumeCreate(asked, _, shape) {
    const { Name = randomBytes(32).toString('hex'), Labels } = await body<{
      Name?: string;
      Labels?: Record<string, string>;
    }>(asked);
    const volume = asked.world.volumes.get(Name) ?? { Name, Labels: Labels ?? {} };
    asked.world.volumes.set(Name, volume);
    asked.world.tell('volume', 'create', Name, { driver: 'local' });
    answerJson(asked, describe(shape, { ...volume, Driver: 'local', Scope: 'local' }), 201);
  },
  VolumeInspect(asked, { name = '' }, shape) {
    const volume = asked.world.volumes.get(name);
    if (volume === undefined) throw new EngineError(404, `get ${name}: no such volume`);
    answerJson(asked, describe(shape, { ...volume, Driver: 'local' }));
  },
  VolumeList(asked) {
    answerJson(asked, { Volumes: [...asked.world.volumes.values()], Warnings: null });
  },
  VolumeDelete(asked, { name = '' }) {
    if (!asked.world.volumes.delete(name)) throw new EngineError(404, `get ${name}: no such volume`);
    asked.world.tell('volume', 'destroy', name, { driver: 'local' });
    answerEmpty(asked);
  },
  async NetworkCreate(asked) {
    const { Name = '', Labels } = await body<{ Name?: string; Labels?: Record<string, string> }>(asked);
    if (asked.world.networks.has(Name)) throw new EngineError(409, `network with name ${Name} already exists`);
    const network = { Name, Labels: Labels ?? {}, Id: randomBytes(32).toString('hex') };
    asked.world.networks.set(Name, network);
    answerJson(asked, { Id: network.Id, Warning: '' }, 201);
  },
  NetworkInspect(asked, { id = '' }, shape) {
    const network = [...asked.world.networks.values()].find(({ Name, Id }) => Name === id || Id === id);
    if (network === undefined) throw new EngineError(404, `network ${id} not found`);
    answerJson(asked, describe(shape, { ...network }));
  },
  NetworkDelete(asked, { id = '' }) {
    const network = [...asked.world.networks.values()].find(({ Name, Id }) => Name === id || Id === id);
    if (network === undefined) throw new EngineError(404, `network ${id} not found`);
    asked.world.networks.delete(network.Name);
    answerEmpty(asked);
  },
  NetworkList(asked) {
    answerJson(asked, [...asked.world.networks.values()]);
  },
  SystemEvents: (asked) => events(asked),
};
