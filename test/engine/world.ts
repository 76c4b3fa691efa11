// What there is on the fake engine: containers that run, execs, volumes, networks, images, and events of them all.
import { randomBytes } from 'node:crypto';
import { ProgramInput, runProgram } from './program.ts';

export interface Output {
  readonly stream: 1 | 2;
  readonly bytes: Buffer;
}

const EVENTS_KEPT = 256;

/** A refusal in the engine's own words. */
export class EngineError extends Error {
  readonly status: number;
  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export interface EventMessage {
  readonly Type: string;
  readonly Action: string;
  readonly Actor: { readonly ID: string; readonly Attributes: Readonly<Record<string, string>> };
  readonly scope: 'local';
  readonly time: number;
  readonly timeNano: number;
}

export interface ContainerConfig {
  readonly Image?: string;
  readonly Cmd?: readonly string[] | string;
  readonly Entrypoint?: readonly string[] | string | null;
  readonly Tty?: boolean;
  readonly OpenStdin?: boolean;
  readonly StdinOnce?: boolean;
  readonly Labels?: Readonly<Record<string, string>> | null;
  readonly HostConfig?: {
    readonly AutoRemove?: boolean;
    readonly Privileged?: boolean;
    readonly Binds?: readonly string[];
  };
}

/** Something that runs: a container's program, or an exec. */
export class Running {
  readonly outputs = new Set<(output: Output) => void>();
  readonly log: Output[] = [];
  readonly input: ProgramInput | null;
  readonly ended: Promise<number>;
  exitCode: number | null = null;
  readonly tty: boolean;
  #kill: (code: number) => void = () => {};

  constructor(command: readonly string[], tty: boolean, hasInput: boolean) {
    this.tty = tty;
    this.input = hasInput ? new ProgramInput() : null;
    const killed = new Promise<number>((resolve) => {
      this.#kill = resolve;
    });
    // Not before everybody who waits for the start has joined.
    const begun = Promise.resolve().then(() =>
      runProgram(command, {
        out: (text) => this.#write(1, text),
        err: (text) => this.#write(2, text),
        input: this.input,
        killed,
      }),
    );
    this.ended = begun.then((code) => {
      this.exitCode = code;
      return code;
    });
  }

  kill(signal: number): void {
    this.#kill(128 + signal);
  }

  #write(stream: 1 | 2, text: string | Uint8Array): void {
    const given = Buffer.from(text as string);
    // A terminal has one stream, and ends its lines as terminals do.
    const output: Output = this.tty
      ? { stream: 1, bytes: Buffer.from(given.toString('latin1').replaceAll('\n', '\r\n'), 'latin1') }
      : { stream, bytes: given };
    this.log.push(output);
    for (const take of this.outputs) take(output);
  }
}

export interface Container {
  readonly id: string;
  name: string;
  readonly config: ContainerConfig;
  readonly created: number;
  status: 'created' | 'running' | 'paused' | 'exited';
  exitCode: number;
  running: Running | null;
  /** Those who attached before the start. */
  readonly attached: Set<(running: Running) => void>;
  readonly ends: Set<(code: number) => void>;
  readonly removals: Set<(code: number) => void>;
}

export interface Exec {
  readonly id: string;
  readonly container: Container;
  readonly command: readonly string[];
  readonly tty: boolean;
  readonly stdin: boolean;
  running: Running | null;
}

interface Named {
  readonly Name: string;
  readonly Labels: Readonly<Record<string, string>>;
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]+$/;

export class World {
  readonly containers = new Map<string, Container>();
  readonly execs = new Map<string, Exec>();
  readonly volumes = new Map<string, Named>();
  readonly networks = new Map<string, Named & { readonly Id: string }>();
  readonly images = new Set(['busybox:latest']);
  readonly listeners = new Set<(event: EventMessage) => void>();
  /** What is told to who asks for the past: as many as dockerd keeps. */
  readonly history: EventMessage[] = [];
  /** Ends the streams of events, as a dockerd that shuts down. */
  readonly eventStreams = new Set<() => void>();
  #time = 1_700_000_000_000_000_000n;

  tell(type: string, action: string, id: string, attributes: Readonly<Record<string, string>>): void {
    this.#time += 1_000_001n;
    const event: EventMessage = {
      Type: type,
      Action: action,
      Actor: { ID: id, Attributes: attributes },
      scope: 'local',
      time: Number(this.#time / 1_000_000_000n),
      timeNano: Number(this.#time),
    };
    if (this.history.push(event) > EVENTS_KEPT) this.history.shift();
    for (const listener of this.listeners) listener(event);
  }

  find(reference: string): Container {
    const exact = this.containers.get(reference);
    if (exact !== undefined) return exact;
    const name = reference.replace(/^\//, '');
    for (const container of this.containers.values()) if (container.name === name) return container;
    const fitting = [...this.containers.values()].filter(({ id }) => id.startsWith(reference));
    const [only] = fitting;
    if (only === undefined || fitting.length > 1) throw new EngineError(404, `No such container: ${reference}`);
    return only;
  }

  create(name: string, config: ContainerConfig): Container {
    const image = config.Image ?? '';
    const tagged = /:[^/]+$/.test(image) ? image : `${image}:latest`;
    if (!this.images.has(tagged)) throw new EngineError(404, `No such image: ${tagged}`);
    const chosen = name === '' ? `fake_${randomBytes(4).toString('hex')}` : name;
    if (!NAME.test(chosen)) {
      throw new EngineError(400, `Invalid container name (${chosen}), only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed`);
    }
    this.#refuseTaken(chosen);
    const container: Container = {
      id: randomBytes(32).toString('hex'),
      name: chosen,
      config,
      created: Number(this.#time / 1_000_000_000n),
      status: 'created',
      exitCode: 0,
      running: null,
      attached: new Set(),
      ends: new Set(),
      removals: new Set(),
    };
    this.containers.set(container.id, container);
    this.#tellOf(container, 'create');
    return container;
  }

  rename(container: Container, name: string): void {
    this.#refuseTaken(name);
    container.name = name;
    this.#tellOf(container, 'rename');
  }

  #refuseTaken(name: string): void {
    for (const { id, name: taken } of this.containers.values()) {
      if (taken !== name) continue;
      throw new EngineError(
        409,
        `Conflict. The container name "/${name}" is already in use by container "${id}". You have to remove (or rename) that container to be able to reuse that name.`,
      );
    }
  }

  /** False where it runs already. */
  start(container: Container): boolean {
    if (container.status === 'running' || container.status === 'paused') return false;
    const { Entrypoint, Cmd, Tty, OpenStdin } = container.config;
    const command = [Entrypoint ?? [], Cmd ?? ['sh']].flat();
    const running = new Running(command, Tty === true, OpenStdin === true);
    container.running = running;
    container.status = 'running';
    for (const attach of container.attached) attach(running);
    container.attached.clear();
    this.#tellOf(container, 'start');
    void running.ended.then((code) => this.#end(container, code));
    return true;
  }

  #end(container: Container, code: number): void {
    container.status = 'exited';
    container.exitCode = code;
    this.#tellOf(container, 'die', { exitCode: String(code) });
    for (const end of container.ends) end(code);
    container.ends.clear();
    if (container.config.HostConfig?.AutoRemove === true) this.remove(container);
  }

  remove(container: Container): void {
    this.containers.delete(container.id);
    for (const removed of container.removals) removed(container.exitCode);
    container.removals.clear();
    this.#tellOf(container, 'destroy');
  }

  exec(container: Container, command: readonly string[], tty: boolean, stdin: boolean): Exec {
    if (container.status !== 'running') throw new EngineError(409, `Container ${container.id} is not running`);
    const exec: Exec = { id: randomBytes(32).toString('hex'), container, command, tty, stdin, running: null };
    this.execs.set(exec.id, exec);
    return exec;
  }

  findExec(id: string): Exec {
    const exec = this.execs.get(id);
    if (exec === undefined) throw new EngineError(404, `No such exec instance: ${id}`);
    return exec;
  }

  /** Ends everything that runs. */
  stop(): void {
    for (const { running } of [...this.containers.values(), ...this.execs.values()]) running?.kill(9);
    this.listeners.clear();
  }

  #tellOf(container: Container, action: string, more: Readonly<Record<string, string>> = {}): void {
    const { id, name, config } = container;
    this.tell('container', action, id, { ...config.Labels, image: config.Image ?? '', name, ...more });
  }
}
