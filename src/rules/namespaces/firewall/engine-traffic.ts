/** What the firewall has to know of one engine, kept true by its events: bridges, and who has published which port. */

import { bridgeIn, memberIn, portsIn, trafficEvents } from '../../../docker/bridges.ts';
import { endpointsOf } from '../../../docker/inspected-container.ts';
import { listIn, type NamedThing, thingIn } from '../../../docker/named-things.ts';
import { noticeOf } from '../../../docker/noticed-events.ts';
import { NAMESPACE_LABEL, SOCKET_LABEL } from '../../../docker/reserved-labels.ts';
import { readSocketNote } from '../../../docker/socket-note.ts';
import type { EngineDesk } from '../../../exchange/engine-desk.ts';
import type { Json } from '../../../ground/json.ts';
import { isTrueNote } from '../../../jobs/true-note.ts';
import { ownerOf } from '../ownership.ts';
import type { Bridge, OwnPort, Speaker, Traffic } from './traffic.ts';

const RETRY_MS = 1000;
/** More changes than that at once, and asking for everything is less work. */
const MOST_ASKED = 32;

export interface TrafficHearer {
  /** Networks of the engine itself, by name, that are held like those of namespaces. */
  readonly heldNames: readonly string[];
  /** Something has changed. Whoever made it waits until this has resolved. */
  onChange(): Promise<void>;
  /** @throws Refusal where no network may be made, since nothing would keep it apart */
  beforeNetwork(): void;
}

type Touched = `${'container' | 'network'} ${string}`;

export class EngineTraffic {
  readonly name: string;
  private readonly desk: EngineDesk;
  private readonly bridges = new Map<string, Bridge>();
  private readonly ports = new Map<string, readonly OwnPort[]>();
  /** By the container: its namespace, the one that its socket leads to if that is another, and the networks that it is on. */
  private readonly members = new Map<string, Member>();
  private touched = new Set<Touched>();
  private unread = true;
  private read = false;
  private hearer: TrafficHearer | null = null;
  private heldNames: readonly string[] = [];
  private stop: (() => void) | null = null;
  private retry: NodeJS.Timeout | null = null;
  private working: Promise<void> | null = null;

  constructor(desk: EngineDesk) {
    this.desk = desk;
    this.name = desk.name;
  }

  /** Also while it runs: for another hearer. */
  start(hearer: TrafficHearer): void {
    const before = this.hearer;
    this.hearer = hearer;
    this.heldNames = hearer.heldNames;
    if (before === null) this.listen();
    else void this.look();
  }

  end(): void {
    this.hearer = null;
    if (this.retry !== null) clearTimeout(this.retry);
    this.stop?.();
    this.stop = null;
    this.read = false;
  }

  /** Once and now, for who does not listen. @throws Refusal */
  async readNow(heldNames: readonly string[]): Promise<void> {
    this.heldNames = heldNames;
    await this.readAll();
  }

  /** As it was when the engine told last; null before it has told all. */
  get traffic(): Traffic | null {
    if (!this.read) return null;
    return {
      bridges: [...this.bridges.values()],
      speakers: [...this.members.values()].flatMap((member) => this.speakersOf(member)),
      ports: [...this.ports.values()].flat(),
    };
  }

  /** @throws Refusal where nothing would keep a new network apart, and that is wanted */
  beforeNetwork(): void {
    this.hearer?.beforeNetwork();
  }

  /** A network was made: resolves when the firewall holds for it, or there is none. Nobody is attached before. */
  async made(networkId: string): Promise<void> {
    if (this.hearer === null || networkId === '') return;
    await this.look(`network ${networkId}`);
  }

  private listen(): void {
    this.stop = this.desk.follow(
      'SystemEvents',
      { query: { filters: trafficEvents } },
      {
        onBegin: () => {
          this.unread = true;
          void this.look();
        },
        onDocument: (event) => this.notice(event),
        onEnd: () => {
          this.stop = null;
          this.again(() => this.listen());
        },
      },
    );
  }

  private again(what: () => void): void {
    if (this.hearer === null) return;
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = setTimeout(what, RETRY_MS).unref();
  }

  private notice(event: Json): void {
    const told = noticeOf(event);
    if (told === null) return;
    if (told.kind === 'container') {
      if (!told.labels[NAMESPACE_LABEL]) return;
      void this.look(`container ${told.id}`);
      return;
    }
    const member = memberIn(event);
    // With a network, the ports of who joins or leaves it may open and close.
    void this.look(...(member === null ? [`network ${told.id}` as const] : [`container ${member}` as const]));
  }

  private look(...touched: readonly Touched[]): Promise<void> {
    if (touched.length === 0) this.unread = true;
    for (const one of touched) this.touched.add(one);
    // Whoever comes while others are looked at waits for the next round.
    const round = (this.working ?? Promise.resolve()).then(() => this.round());
    this.working = round;
    return round;
  }

  private async round(): Promise<void> {
    if (this.hearer === null || (!this.unread && this.touched.size === 0)) return;
    const touched = this.touched;
    this.touched = new Set();
    const all = this.unread || !this.read || touched.size > MOST_ASKED;
    this.unread = false;
    try {
      if (all) await this.readAll();
      else for (const one of touched) await this.readOne(one);
    } catch {
      // The engine is not there, or refuses: what was known stays in force.
      this.unread = true;
      this.again(() => (this.stop === null ? this.listen() : void this.look()));
      return;
    }
    await this.hearer?.onChange();
  }

  private async readAll(): Promise<void> {
    const networks = listIn('network', await this.desk.ask('NetworkList'));
    const running = await this.runningWith({ label: [NAMESPACE_LABEL] });
    this.bridges.clear();
    this.ports.clear();
    this.members.clear();
    for (const network of networks) this.putNetwork(network);
    for (const container of running) this.putContainer(container);
    this.read = true;
  }

  private async readOne(touched: Touched): Promise<void> {
    const [kind, id] = touched.split(' ') as ['container' | 'network', string];
    if (kind === 'network') {
      const network = await this.desk.ask('NetworkInspect', { parameters: { id } });
      // Only now, in one turn: it is never unknown meanwhile.
      this.bridges.delete(id);
      this.putNetwork(network);
      return;
    }
    const running = await this.runningWith({ id: [id] });
    this.ports.delete(id);
    this.members.delete(id);
    for (const container of running) this.putContainer(container);
  }

  private async runningWith(filters: Readonly<Record<string, readonly string[]>>): Promise<readonly Json[]> {
    return listIn('container', await this.desk.ask('ContainerList', { query: { filters } }));
  }

  private putNetwork(network: Json): void {
    const bridge = bridgeIn(network);
    if (bridge === null) return;
    const namespace = ownerOf(bridge);
    // What carries the label alone belongs to nobody, and is held all the same.
    const held = Boolean(bridge.labels[NAMESPACE_LABEL]) || this.heldNames.includes(bridge.name);
    this.bridges.set(bridge.id, { link: bridge.link, namespace, held, apart: bridge.isDefault && !held });
  }

  private putContainer(container: Json): void {
    const thing = thingIn('container', container);
    const namespace = thing === null ? null : ownerOf(thing);
    if (thing === null || namespace === null) return;
    this.ports.set(
      thing.id,
      portsIn(container).map((port) => ({ ...port, namespace })),
    );
    this.members.set(thing.id, { namespace, job: jobOf(thing), networks: endpointsOf(container).map(idOf) });
  }

  private speakersOf({ namespace, job, networks }: Member): readonly Speaker[] {
    return networks.flatMap((id) => {
      const bridge = this.bridges.get(id);
      if (bridge === undefined) return [];
      const spokenFor = [...(bridge.held ? [] : [namespace]), ...(job === null ? [] : [job])];
      return spokenFor.map((one) => ({ link: bridge.link, namespace: one }));
    });
  }
}

interface Member {
  readonly namespace: string;
  readonly job: string | null;
  readonly networks: readonly string[];
}

function idOf({ id }: { readonly id: string }): string {
  return id;
}

/** The namespace that the socket of a container leads to, where that is another one than its own. */
function jobOf({ name, labels }: NamedThing): string | null {
  const note = readSocketNote(labels[SOCKET_LABEL]);
  return note !== null && note.job !== note.parent && isTrueNote(note, name, labels) ? note.job : null;
}
