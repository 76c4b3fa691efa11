/**
 * What the users and namespaces of an engine hold. The engine is the ledger: this is its lists, read when it matters, and what has been
 * promised to calls since. A thing carries a claim from the moment the engine begins to make it, so that what is
 * promised and what is listed are never counted twice, and what was promised and has not been listed yet is not missed.
 */

import { randomBytes } from 'node:crypto';
import { type Holder, isNamespace, NOBODY } from '../../../docker/holder.ts';
import {
  carrying,
  type ListedContainer,
  listedContainers,
  listedNetworks,
  listedVolumes,
} from '../../../docker/holdings.ts';
import { heldResources, publishedPortsOf } from '../../../docker/resources.ts';
import { containerInspect } from '../../../docker/shapes/container-inspect.ts';
import type { EngineDesk } from '../../../exchange/engine-desk.ts';
import type { Json } from '../../../ground/json.ts';

/** What one call takes, or what all things of a holder take. */
export interface Amounts {
  readonly containers: number;
  readonly memory: number;
  readonly cpus: number;
  readonly ports: number;
  readonly networks: number;
}

export const nothing: Amounts = { containers: 0, memory: 0, cpus: 0, ports: 0, networks: 0 };

/** What a call would take, and which volumes it would bring about. */
export interface Take {
  readonly amounts: Amounts;
  /** What comes on top of what is in use; absent: all of it. */
  readonly more?: Amounts;
  readonly volumes: readonly string[];
  readonly unnamedVolumes: number;
  /** The container whose amounts are to be these from now on. */
  readonly instead?: string;
}

export type InUse = Amounts & { readonly volumes: number };

interface Promised {
  readonly take: Take;
  /** When the call has ended: the number of the refresh that it is certain to be listed by; null while it runs. */
  settledBefore: number | null;
  /** Nobody knows whether the engine goes on with it: kept until then. */
  doubtUntilMs: number;
}

interface Held {
  containers: readonly ListedContainer[];
  /** By the id of a container; what has changed since is not among them. */
  readonly amounts: Map<string, Amounts>;
  volumes: ReadonlySet<string>;
  /** Volumes without a label that were seen in containers of this holder. */
  mounted: ReadonlySet<string>;
  networks: readonly { readonly claim: string }[];
  /** How many volumes carry each. */
  volumeClaims: ReadonlyMap<string, number>;
  readonly promised: Map<string, Promised>;
  refreshed: number;
  refreshedAtMs: number;
  /** How many read it from the engine now. */
  reading: number;
  askedAtMs: number;
}

/** An engine whose answer to a broken call is not known has begun it by then, or never will. */
const DOUBT_MS = 60_000;
/** Other instances and administrators make and remove things too. */
const FRESH_MS = 30_000;
const INSPECTED_AT_ONCE = 16;
/** Each job is a holder, and ends. */
const KEPT_MS = 600_000;

export class Ledger {
  private readonly engine: EngineDesk;
  private readonly now: () => number;
  private readonly held = new Map<Holder, Held>();
  private refreshes = 0;
  private readonly asks = { volumes: false, networks: false };

  constructor(engine: EngineDesk, now: () => number = Date.now) {
    this.engine = engine;
    this.now = now;
  }

  /** What is to be asked for beside containers. */
  need(volumes: boolean, networks: boolean): void {
    this.asks.volumes ||= volumes;
    this.asks.networks ||= networks;
  }

  /** What the holder has by what is known now: never less than what is so. Undefined where too little is known. */
  known(holder: Holder): InUse | undefined {
    const held = this.held.get(holder);
    if (held === undefined || this.now() - held.refreshedAtMs > FRESH_MS) return undefined;
    return this.sum(held);
  }

  /** What the holder has, as the engine said last and with all that was pledged since. */
  inUse(holder: Holder): InUse {
    return this.sum(this.heldBy(holder));
  }

  /** Reads what the holder has from the engine. @throws Refusal when the engine does not answer */
  async refresh(holder: Holder): Promise<void> {
    const held = this.heldBy(holder);
    held.reading++;
    try {
      await this.read(holder, held);
    } finally {
      held.reading--;
      held.askedAtMs = this.now();
    }
  }

  private async read(holder: Holder, held: Held): Promise<void> {
    const number = ++this.refreshes;
    const filters = carrying(holder);
    const containers = await this.engine.ask('ContainerList', { query: { all: true, filters } });
    // After the containers: a volume is there before the first container that has it.
    const [volumes, networks] = await Promise.all([
      this.asks.volumes ? this.engine.ask('VolumeList') : null,
      this.asks.networks ? this.engine.ask('NetworkList', { query: { filters } }) : null,
    ]);
    const isHeld = (thing: { readonly holder: Holder }): boolean => thing.holder === holder;
    // Answers may overtake each other; an older one knows less.
    if (number > held.refreshed) {
      held.refreshed = number;
      held.containers = listedContainers(containers).filter(isHeld);
      held.networks = listedNetworks(networks).filter(isHeld);
      this.seeVolumes(held, holder, volumes);
      this.forgetListed(held, number);
    }
    held.refreshedAtMs = Number.NEGATIVE_INFINITY;
    await this.weigh(held);
    held.refreshedAtMs = this.now();
  }

  /** Pledges what a call takes: counted from now on. */
  pledge(holder: Holder, take: Take): Pledge {
    const held = this.heldBy(holder);
    const claim = randomBytes(8).toString('hex');
    const promised: Promised = { take, settledBefore: null, doubtUntilMs: 0 };
    held.promised.set(claim, promised);
    return { claim, settle: (status) => this.settle(held, claim, promised, status) };
  }

  /** How many of these are not counted yet. */
  newVolumes(holder: Holder, names: readonly string[]): number {
    const held = this.held.get(holder);
    const counted = new Set(held?.volumes);
    for (const { take } of held?.promised.values() ?? []) for (const name of take.volumes) counted.add(name);
    return names.filter((name) => !counted.has(name)).length;
  }

  /** Whether the engine's lists may not show yet what the holder has made. */
  unseen(holder: Holder): boolean {
    return (this.held.get(holder)?.promised.size ?? 0) > 0;
  }

  /** Volumes that a container of the holder has: theirs from now on, where the engine's list shows no other label. */
  sawVolumes(holder: Holder, names: readonly string[]): void {
    const held = this.heldBy(holder);
    held.mounted = new Set([...held.mounted, ...names]);
    held.volumes = new Set([...held.volumes, ...names]);
  }

  private settle(held: Held, claim: string, promised: Promised, status: number): void {
    if (promised.settledBefore !== null) return;
    const refused = status >= 400 && status < 500;
    if (refused) {
      held.promised.delete(claim);
      return;
    }
    promised.settledBefore = this.refreshes + 1;
    // The engine may remove the container before it is ever listed; volumes with a name stay.
    held.mounted = new Set([...held.mounted, ...promised.take.volumes]);
    // The client is gone, or the engine: it may be making the thing all the same.
    if (status === 0 || status >= 500) promised.doubtUntilMs = this.now() + DOUBT_MS;
    if (promised.take.instead !== undefined) held.amounts.delete(promised.take.instead);
  }

  private heldBy(holder: Holder): Held {
    let held = this.held.get(holder);
    if (held === undefined) {
      this.forgetOthers();
      held = {
        containers: [],
        amounts: new Map(),
        volumes: new Set(),
        mounted: new Set(),
        networks: [],
        volumeClaims: new Map(),
        promised: new Map(),
        refreshed: 0,
        refreshedAtMs: Number.NEGATIVE_INFINITY,
        reading: 0,
        askedAtMs: 0,
      };
      this.held.set(holder, held);
    }
    held.askedAtMs = this.now();
    return held;
  }

  /** Of those that nobody has asked about for long, what the engine can tell again. */
  private forgetOthers(): void {
    const nowMs = this.now();
    for (const [holder, { askedAtMs, reading, promised, mounted }] of this.held) {
      if (reading > 0 || nowMs - askedAtMs < KEPT_MS || (mounted.size > 0 && !isNamespace(holder))) continue;
      const isOpen = ({ settledBefore, doubtUntilMs }: Promised): boolean =>
        settledBefore === null || doubtUntilMs > nowMs;
      if (![...promised.values()].some(isOpen)) this.held.delete(holder);
    }
  }

  private seeVolumes(held: Held, holder: Holder, answer: Json): void {
    const listed = listedVolumes(answer);
    const unlabelled = new Set(listed.filter((volume) => volume.holder === NOBODY).map(({ name }) => name));
    const seen = [...held.mounted, ...held.containers.flatMap(({ volumes }) => volumes)];
    const claims = new Map<string, number>();
    for (const { claim } of listed) if (claim !== '') claims.set(claim, (claims.get(claim) ?? 0) + 1);
    held.volumeClaims = claims;
    held.mounted = new Set(seen.filter((name) => unlabelled.has(name)));
    held.volumes = new Set([
      ...listed.filter((volume) => volume.holder === holder).map(({ name }) => name),
      ...held.mounted,
    ]);
  }

  /** What had ended before the engine was asked is in its lists, or is no more. */
  private forgetListed(held: Held, number: number): void {
    const listed = new Map(held.containers.map(({ claim, id }) => [claim, id]));
    const updated = new Set([...held.promised.values()].map(({ take }) => take.instead));
    for (const [claim, { settledBefore, doubtUntilMs, take }] of held.promised) {
      const id = listed.get(claim);
      if (id !== undefined && !updated.has(id)) held.amounts.set(id, take.amounts);
      if (settledBefore === null || settledBefore > number) continue;
      if (id !== undefined || doubtUntilMs <= this.now()) held.promised.delete(claim);
    }
  }

  /** Asks what the containers take of which nobody has told it: those from before the process was started. */
  private async weigh(held: Held): Promise<void> {
    const there = new Set(held.containers.map(({ id }) => id));
    for (const id of held.amounts.keys()) if (!there.has(id)) held.amounts.delete(id);
    const unknown = [...there].filter((id) => !held.amounts.has(id));
    for (let at = 0; at < unknown.length; at += INSPECTED_AT_ONCE) {
      await Promise.all(
        unknown.slice(at, at + INSPECTED_AT_ONCE).map(async (id) => {
          const inspection = await this.engine.ask('ContainerInspect', { parameters: { id } });
          if (inspection !== null) held.amounts.set(id, amountsOf(inspection));
        }),
      );
    }
  }

  private sum(held: Held): InUse {
    const total = { ...nothing };
    const volumes = new Set(held.volumes);
    let unnamed = 0;
    const claims = new Set<string>();
    const ids = new Set<string>();
    const replaced = new Map<string, Amounts>();
    for (const { take } of held.promised.values()) {
      if (take.instead !== undefined) replaced.set(take.instead, most(replaced.get(take.instead), take.amounts));
    }
    for (const { id, claim } of held.containers) {
      claims.add(claim);
      ids.add(id);
      add(total, most(replaced.get(id), held.amounts.get(id) ?? { ...nothing, containers: 1 }));
    }
    for (const { claim } of held.networks) {
      claims.add(claim);
      total.networks++;
    }
    for (const [claim, { take }] of held.promised) {
      for (const name of take.volumes) volumes.add(name);
      // Of a container that is not listed yet, its own create is counted already.
      if (take.instead !== undefined && !ids.has(take.instead)) add(total, take.more ?? take.amounts);
      if (claims.has(claim) || take.instead !== undefined) continue;
      add(total, take.amounts);
      unnamed += Math.max(0, take.unnamedVolumes - (held.volumeClaims.get(claim) ?? 0));
    }
    return { ...total, volumes: volumes.size + unnamed };
  }
}

/** What was pledged to one call. */
export interface Pledge {
  /** To be printed as a label on what the call makes. */
  readonly claim: string;
  /** When the call has ended, with its status. */
  readonly settle: (status: number) => void;
}

/** Of a container that is there. */
export function amountsOf(inspection: Json): Amounts {
  const { memory, cpus } = heldResources(containerInspect, inspection);
  return { containers: 1, memory, cpus, ports: publishedPortsOf(inspection), networks: 0 };
}

function add(total: { -readonly [Key in keyof Amounts]: Amounts[Key] }, amounts: Amounts): void {
  for (const key of Object.keys(nothing) as (keyof Amounts)[]) total[key] += amounts[key];
}

/** While it is not sure which of the two holds, the larger does. */
function most(one: Amounts | undefined, other: Amounts): Amounts {
  if (one === undefined) return other;
  const { memory, cpus, ports, containers, networks } = other;
  return { memory: Math.max(one.memory, memory), cpus: Math.max(one.cpus, cpus), ports, containers, networks };
}
