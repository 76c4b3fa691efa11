/** What a namespace, or one user, may hold on an engine: promised to calls before they are carried, so that many at once get no more. */

import { mountedVolumes } from '../../../docker/container-create.ts';
import { type Holder, holderOf } from '../../../docker/holder.ts';
import { heldBy, madeVolume, wantedVolumes } from '../../../docker/holdings.ts';
import { cpusOf, imageToPublish, publishedPorts, type ResourcePlaces, saidOf } from '../../../docker/resources.ts';
import type { Call } from '../../../exchange/call.ts';
import { refuse } from '../../../exchange/judge.ts';
import { engineName } from '../../../exchange/namespacing.ts';
import type { PolicyContext } from '../../../exchange/policy.ts';
import type { Json } from '../../../ground/json.ts';
import type { Refusal } from '../../../ground/refusal.ts';
import { formatSize } from '../../../ground/size.ts';
import { POLICY } from './bounding.ts';
import { printCpus } from './bounds.ts';
import { type Amounts, amountsOf, type InUse, type Ledger, nothing, type Pledge, type Take } from './ledger.ts';
import type { Totals as Maxima } from './options.ts';

type Counted = keyof InUse;

const counted: readonly Counted[] = ['containers', 'memory', 'cpus', 'ports', 'volumes', 'networks'];

/** Whose total a call counts in, and what it takes there. */
interface Claimed {
  readonly holder: Holder;
  readonly take: Take;
}

export class Totals {
  private readonly maxima: Maxima;
  private readonly ledger: Ledger;

  constructor(maxima: Maxima, ledger: Ledger) {
    this.maxima = maxima;
    this.ledger = ledger;
    ledger.need(maxima.volumes !== undefined, maxima.networks !== undefined);
  }

  /** Null where the call takes nothing. @throws Refusal over-limit */
  async claim(call: Call, places: ResourcePlaces, held: Json, context: PolicyContext): Promise<Pledge | null> {
    await this.lookBeforeRemoval(call, context);
    const claimed = await this.claimedBy(call, places, held, context);
    if (claimed === null) return null;
    const { holder, take } = claimed;
    const known = this.ledger.known(holder);
    if (known === undefined || this.excess(known, claimed) !== null) {
      await this.ledger.refresh(holder);
      // From here to the pledge nobody comes between: others wait for the same answer.
      const inUse = this.ledger.inUse(holder);
      const excess = this.excess(inUse, claimed);
      if (excess !== null) throw this.refusal(call, excess, inUse, claimed);
    }
    return this.ledger.pledge(holder, take);
  }

  private async claimedBy(
    call: Call,
    places: ResourcePlaces,
    held: Json,
    context: PolicyContext,
  ): Promise<Claimed | null> {
    const holder = callHolder(call);
    switch (call.endpoint.id) {
      case 'ContainerCreate':
        return { holder, take: await this.takenByContainer(call, places, context) };
      case 'NetworkCreate':
        return { holder, take: { amounts: { ...nothing, networks: 1 }, volumes: [], unnamedVolumes: 0 } };
      case 'VolumeCreate': {
        const name = madeVolume(call.body);
        const named = name === null ? [] : [name];
        const volumes = namesOnEngine(call, named);
        return { holder, take: { amounts: nothing, volumes, unnamedVolumes: 1 - named.length } };
      }
      case 'ContainerUpdate':
        return takenByUpdate(call, places, held);
      default:
        return null;
    }
  }

  private async takenByContainer(call: Call, places: ResourcePlaces, context: PolicyContext): Promise<Take> {
    const { names, unnamed } = wantedVolumes(call.body);
    const image = this.maxima.ports === undefined ? null : imageToPublish(call.body);
    const inspection = image === null ? null : await context.lookUp('ImageInspect', { name: image });
    const { memory, cpus } = sizeOf(call, places);
    const ports = publishedPorts(call.body, inspection);
    const amounts = { containers: 1, memory, cpus, ports, networks: 0 };
    return { amounts, volumes: namesOnEngine(call, names), unnamedVolumes: unnamed };
  }

  /** Volumes without a label are told by the containers that have them: they must be seen before those go. */
  private async lookBeforeRemoval(call: Call, context: PolicyContext): Promise<void> {
    const { endpoint, namespace, parameters, query } = call;
    // A namespace's volumes all have its label.
    if (this.maxima.volumes === undefined || namespace !== null) return;
    const holder = callHolder(call);
    if (endpoint.id === 'ContainerPrune' && this.ledger.unseen(holder)) await this.ledger.refresh(holder);
    // With `v` those without a name go with it.
    if (endpoint.id !== 'ContainerDelete' || query.v === true || !this.ledger.unseen(holder)) return;
    const inspection = await context.lookUp('ContainerInspect', parameters);
    const owner = heldBy(inspection);
    if (owner === null) return;
    const mounted = mountedVolumes(inspection).flatMap(({ name }) => (name === '' ? [] : [name]));
    this.ledger.sawVolumes(owner.holder, mounted);
  }

  private excess(inUse: InUse, claimed: Claimed): Counted | null {
    for (const what of counted) {
      const max = this.maxima[what];
      if (max === undefined) continue;
      const more = this.moreOf(what, claimed);
      // Who asks for nothing more is never refused, whatever is in use; processors are sums of fractions.
      if (more > 0 && inUse[what] + more > max + 1e-9) return what;
    }
    return null;
  }

  private moreOf(what: Counted, { holder, take }: Claimed): number {
    if (what === 'volumes') return this.ledger.newVolumes(holder, take.volumes) + take.unnamedVolumes;
    return (take.more ?? take.amounts)[what];
  }

  private refusal(call: Call, what: Counted, inUse: InUse, claimed: Claimed): Refusal {
    const print = printers[what];
    const [more, max, used] = [this.moreOf(what, claimed), this.maxima[what] as number, inUse[what]].map(print);
    const message = `${more} more would be over the limit of ${max} for ${oneHolder(call)}; in use: ${used}`;
    return refuse(POLICY, `total-${what}`, message, { hint: hints[what] }, 'over-limit');
  }
}

/** Whose total a call counts in. */
export function callHolder({ namespace, identity }: Call): Holder {
  return holderOf(namespace, identity.user);
}

/** How a refusal speaks of it. */
export function oneHolder({ namespace }: Call): string {
  return namespace === null ? 'one user' : 'one namespace';
}

function namesOnEngine({ namespace }: Call, names: readonly string[]): readonly string[] {
  return namespace === null ? names : names.map((name) => engineName(namespace, name));
}

const printers: Readonly<Record<Counted, (amount: number) => string>> = {
  containers: (count) => many(count, 'container'),
  memory: formatSize,
  cpus: printCpus,
  ports: (count) => many(count, 'published port'),
  volumes: (count) => many(count, 'volume'),
  networks: (count) => many(count, 'network'),
};

function many(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}

const hints: Readonly<Record<Counted, string>> = {
  containers: 'remove containers that are not needed, or run them with --rm',
  memory: 'remove containers, or ask for less memory',
  cpus: 'remove containers, or ask for fewer CPUs',
  ports: 'remove containers, or publish fewer ports',
  volumes: 'remove volumes that are not needed',
  networks: 'remove networks that are not needed',
};

function sizeOf(call: Call, places: ResourcePlaces): Pick<Amounts, 'memory' | 'cpus'> {
  const amount = (resource: 'memory' | 'cpus' | 'cpu-quota' | 'cpu-period'): number => {
    const said = saidOf(call, places, resource);
    return said?.kind === 'amount' ? said.amount : 0;
  };
  const cpus = Math.max(amount('cpus') / 1e9, cpusOf(amount('cpu-quota'), amount('cpu-period')));
  return { memory: amount('memory'), cpus };
}

/** Of an update, what the container will have; it counts with whoever made it. */
function takenByUpdate(call: Call, places: ResourcePlaces, held: Json): Claimed | null {
  const owner = heldBy(held);
  if (owner === null) return null;
  const before = amountsOf(held);
  const asked = sizeOf(call, places);
  const memory = asked.memory > 0 ? asked.memory : before.memory;
  const cpus = asked.cpus > 0 ? asked.cpus : before.cpus;
  const more = { ...nothing, memory: Math.max(0, memory - before.memory), cpus: Math.max(0, cpus - before.cpus) };
  const take = { amounts: { ...before, memory, cpus }, more, volumes: [], unnamedVolumes: 0, instead: owner.id };
  return { holder: owner.holder, take };
}
