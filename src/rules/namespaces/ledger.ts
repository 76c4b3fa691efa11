/**
 * What takes several calls of the engine is written down on the engine before its first one, and crossed out after its
 * last: whoever is killed in between finds it there at its next start, and ends it. An entry is a volume that holds
 * nothing; its label says what was begun. Docker cannot change a label, so an entry stands for itself.
 */

import { randomBytes } from 'node:crypto';
import { isAttached, stateOf } from '../../docker/inspected-container.ts';
import { messageIn, type NamedThing, thingsIn } from '../../docker/named-things.ts';
import { volumeRequest } from '../../docker/own-requests.ts';
import { INSTALLATION_LABEL, INTENT_LABEL, UNTIL_LABEL } from '../../docker/reserved-labels.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { isList, isObject, type Json, JsonFault, type JsonObject, printJson, readJsonText } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';

/** Whose entries are ended here: those of other installations are theirs to end. */
export interface Installation {
  readonly id: string;
  /** Whether no other process of this installation may still be at work: not after a take-over. */
  readonly alone: boolean;
  /** Hears what was begun by a process that is no more, and is ended now. */
  readonly onEnded: (what: string, things: readonly string[]) => void;
}

/** Volumes and networks by the engine's names, containers by their ids. */
export type Intent =
  /** Volumes for a container that is to be made: without it, they go again. */
  | { readonly do: 'create'; readonly volumes: readonly string[] }
  /** A container that is removed with its volumes. */
  | { readonly do: 'remove'; readonly container: string; readonly volumes: readonly string[] }
  /** A container that has left a network to come back otherwise. */
  | { readonly do: 'join'; readonly container: string; readonly network: string; readonly settings: JsonObject };

/** An engine goes on for a while with a call whose caller was killed: nothing is ended that was seen only now. */
const SETTLED_MS = 30_000;
/** Another process of ours may be at work on it. */
const OTHERS_MS = 600_000;
/** A call of ours that takes longer was given up. */
const HELD_MS = 600_000;
const DEPTH = 32;
const NOT_HEARD = { status: 503 };

/** What an engine says of a container that it has not finished removing. */
const GOING: ReadonlySet<string> = new Set(['removing', 'dead']);

export class Ledger {
  readonly installation: Installation;
  private readonly desk: EngineDesk;
  /** What calls of this process are at, and since when. */
  private readonly held = new Map<string, number>();
  /** What is done, and could not be crossed out yet. */
  private readonly done = new Set<string>();
  private readonly seenAtMs = new Map<string, number>();
  private again: NodeJS.Timeout | null = null;
  private sweeping: Promise<void> | null = null;
  private first: Promise<void> | null = null;

  constructor(desk: EngineDesk, installation: Installation) {
    this.desk = desk;
    this.installation = installation;
  }

  /** Gives the name of the entry, for `crossOut` or `leave`. @throws Refusal where it cannot be written */
  async write(intent: Intent): Promise<string> {
    const entry = `berthgate-${randomBytes(16).toString('hex')}`;
    const labels = { [INSTALLATION_LABEL]: this.installation.id, [INTENT_LABEL]: printJson(intent as unknown as Json) };
    this.hold([entry]);
    const body = volumeRequest(entry, { driver: '', options: null, labels: {} }, labels);
    const { status, answer } = await this.desk.order('VolumeCreate', { body });
    if (status < 300) return entry;
    this.leave([entry]);
    throw new Refusal('own-fault', 'what is to be done cannot be written down', { cause: messageIn(answer) });
  }

  /** All of it is done. What the engine does not hear now, it is told again. */
  async crossOut(entry: string): Promise<void> {
    this.done.add(entry);
    const { status } = await this.desk.order('VolumeDelete', { parameters: { name: entry } }).catch(() => NOT_HEARD);
    if (status < 300 || status === 404) this.done.delete(entry);
    this.leave([entry]);
  }

  /** Not to be swept while a call is at work on it. */
  hold(names: readonly string[]): void {
    for (const name of names) this.held.set(name, Date.now());
  }

  /** No call is at work on it any more: what is open is ended by a sweep. */
  leave(names: readonly string[]): void {
    for (const name of names) this.held.delete(name);
  }

  /** Resolves after the first look: whoever starts a container does so with what that has mended. */
  async ready(): Promise<void> {
    await this.first?.catch(() => {});
  }

  end(): void {
    if (this.again !== null) clearTimeout(this.again);
    this.again = null;
  }

  /** Ends what has been open for a while. @throws Refusal, Error where the engine does not say what is open */
  sweep(): Promise<void> {
    this.sweeping ??= this.sweepOnce().finally(() => {
      this.sweeping = null;
    });
    this.first ??= this.sweeping;
    return this.sweeping;
  }

  private async sweepOnce(): Promise<void> {
    const filters = { label: [`${INSTALLATION_LABEL}=${this.installation.id}`], dangling: ['true'] };
    const listed = thingsIn('volume', await this.desk.ask('VolumeList', { query: { filters } }));
    // The volumes of a job say whose they are as well.
    const open = listed.filter(({ labels }) => INTENT_LABEL in labels || UNTIL_LABEL in labels);
    const names = new Set(open.map(({ name }) => name));
    for (const name of this.seenAtMs.keys()) if (!names.has(name)) this.seenAtMs.delete(name);
    const patience = this.installation.alone ? SETTLED_MS : OTHERS_MS;
    const now = Date.now();
    let waiting = false;
    for (const thing of open) {
      if (this.done.has(thing.name)) {
        await this.crossOut(thing.name);
        continue;
      }
      if (now - (this.held.get(thing.name) ?? 0) < HELD_MS) continue;
      const seen = this.seenAtMs.get(thing.name) ?? now;
      this.seenAtMs.set(thing.name, seen);
      if (now - seen >= patience || this.isSettledAtOnce(thing)) await this.settle(thing);
      else if (!(await this.isSettled(thing))) waiting = true;
    }
    if (waiting) this.lookAgain(patience);
  }

  /** A network is left and joined at once; a container that is on none must not wait. */
  private isSettledAtOnce({ labels }: NamedThing): boolean {
    return this.installation.alone && readIntent(labels[INTENT_LABEL] ?? '')?.do === 'join';
  }

  private lookAgain(afterMs: number): void {
    if (this.again !== null) return;
    this.again = setTimeout(() => {
      this.again = null;
      // What cannot be ended now is tried by the next sweep.
      void this.sweep().catch(() => {});
    }, afterMs).unref();
  }

  /**
   * A create whose container is there: its entry must not wait, since the next who removes that container decides what
   * becomes of its volumes.
   */
  private async isSettled({ name, labels }: NamedThing): Promise<boolean> {
    const intent = readIntent(labels[INTENT_LABEL] ?? '');
    if (intent?.do !== 'create') return false;
    const query = { all: true, filters: { volume: intent.volumes } };
    if (thingsIn('container', await this.desk.ask('ContainerList', { query })).length === 0) return false;
    await this.crossOut(name);
    return true;
  }

  private async settle({ name, labels }: NamedThing): Promise<void> {
    const text = labels[INTENT_LABEL];
    const intent = text === undefined ? null : readIntent(text);
    // What says nothing that is understood was written by a newer one, whose it is to end.
    if (text !== undefined && intent === null) return;
    const ended = intent === null ? await this.drop([name]) : await this.finish(intent);
    if (!ended) return;
    this.held.delete(name);
    if (intent !== null) await this.crossOut(name);
    const things = intent === null ? [name] : 'volumes' in intent ? intent.volumes : [intent.container];
    this.installation.onEnded(intent?.do ?? 'auto-remove', things);
  }

  /** Whether there is nothing left to be done. */
  private async finish(intent: Intent): Promise<boolean> {
    if (intent.do === 'create') return this.drop(intent.volumes);
    const inspection = await this.desk.ask('ContainerInspect', { parameters: { id: intent.container } });
    if (intent.do === 'remove') {
      // One that is there and lives was not removed: the call failed, and all is as it was.
      if (inspection !== null) return !GOING.has(stateOf(inspection));
      return this.drop(intent.volumes);
    }
    const { container, network, settings } = intent;
    if (inspection === null || isAttached(inspection, network)) return true;
    const body = { Container: container, EndpointConfig: settings };
    const { status } = await this.desk.order('NetworkConnect', { parameters: { id: network }, body });
    // A network that is no more is what a start of the container finds out.
    return status < 300 || status === 404;
  }

  /** What a container uses stays. Whether the engine has done all that it was told. */
  private async drop(volumes: readonly string[]): Promise<boolean> {
    let done = true;
    for (const name of volumes) {
      const { status } = await this.desk.order('VolumeDelete', { parameters: { name } });
      done &&= status < 300 || status === 404 || status === 409;
    }
    return done;
  }
}

/** Null for what is not understood. */
function readIntent(text: string): Intent | null {
  const said = parse(text);
  if (!isObject(said)) return null;
  const { do: what = null, volumes = null, container = '', network = '', settings = null } = said;
  const names = isList(volumes) && volumes.every((name) => typeof name === 'string') ? (volumes as string[]) : null;
  if (what === 'create' && names !== null) return { do: what, volumes: names };
  if (typeof container !== 'string' || container === '') return null;
  if (what === 'remove' && names !== null) return { do: what, container, volumes: names };
  if (what === 'join' && typeof network === 'string' && isObject(settings)) {
    return { do: what, container, network, settings };
  }
  return null;
}

function parse(text: string): Json {
  try {
    return readJsonText(text, DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) return null;
    throw fault;
  }
}
