/** `limits`: what one container may take, how long it may live, and what a user or a namespace may hold altogether. */

import type { Endpoint } from '../../../docker/endpoint.ts';
import { type EngineNature, natureOf } from '../../../docker/limit-lists.ts';
import { CLAIM_LABEL, EXPIRES_LABEL, USER_LABEL } from '../../../docker/reserved-labels.ts';
import { heldResources, type ResourcePlaces, resourcePlaces } from '../../../docker/resources.ts';
import { containerInspect } from '../../../docker/shapes/container-inspect.ts';
import type { Call } from '../../../exchange/call.ts';
import { refuse } from '../../../exchange/judge.ts';
import type { LoadedBytes } from '../../../exchange/load-judge.ts';
import type { Change, Policy, PolicyContext, PolicyCreation, PolicyKind, Verdict } from '../../../exchange/policy.ts';
import type { Json } from '../../../ground/json.ts';
import type { Refusal } from '../../../ground/refusal.ts';
import { formatSize } from '../../../ground/size.ts';
import { type AtOnce, OpenNow, opensOf } from './at-once.ts';
import { boundLogs, boundUlimits } from './bound-lists.ts';
import { Bounding, POLICY } from './bounding.ts';
import { boundResources } from './bounds.ts';
import { builds, Disk, stocksOf } from './disk.ts';
import { Ledger } from './ledger.ts';
import { Lifetimes } from './lifetimes.ts';
import { type LimitsOptions, limitsOptions } from './options.ts';
import { callHolder, oneHolder, Totals } from './totals.ts';

export const limitsKind: PolicyKind<typeof limitsOptions> = {
  name: POLICY,
  options: limitsOptions,
  create: (options, creation) => new LimitsPolicy(options, creation),
};

/** What every listener of an engine counts together, whatever reloads there are. */
interface Shared {
  readonly ledger: Ledger;
  readonly disk: Disk;
  readonly open: OpenNow;
  readonly lifetimes: Lifetimes;
}

const WITHIN = 'within-limits';
const NO_CHANGES: readonly Change[] = [];

class LimitsPolicy implements Policy {
  readonly name = POLICY;
  private readonly options: LimitsOptions;
  private readonly creation: PolicyCreation;
  private readonly shared: Shared;
  private readonly totals: Totals | null;
  private readonly places = new Map<Endpoint, ResourcePlaces>();
  private readonly opened = new Map<Endpoint, readonly AtOnce[]>();
  private nature: EngineNature | null = null;

  constructor(options: LimitsOptions, creation: PolicyCreation) {
    const { engine } = creation;
    this.options = options;
    this.creation = creation;
    this.shared = engine.once('limits', () => ({
      ledger: new Ledger(engine),
      disk: new Disk(engine),
      open: new OpenNow(),
      lifetimes: new Lifetimes(engine),
    }));
    this.totals = options.total === undefined ? null : new Totals(options.total, this.shared.ledger);
  }

  async start(): Promise<void> {
    if (this.options.lifetime !== undefined) this.shared.lifetimes.begin(this.creation.log);
  }

  async stop(): Promise<void> {
    if (this.options.lifetime !== undefined) this.shared.lifetimes.end();
  }

  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    const { endpoint } = call;
    // Most calls look: they take nothing but, perhaps, a stream.
    if (endpoint.method === 'GET' || endpoint.method === 'HEAD') return this.judgeStream(call, nothingFor(call));
    return this.judgeMaking(call, context);
  }

  private async judgeMaking(call: Call, context: PolicyContext): Promise<Verdict> {
    const places = this.placesOf(call.endpoint);
    const held = await this.heldBy(call, context);
    const bounding = new Bounding(call);
    await this.bound(bounding, places, held);
    const load = await this.judgeDisk(call);
    const pledge = (await this.totals?.claim(bounding.call, places, held, context)) ?? null;
    const labels = { ...this.ownerLabels(call, pledge?.claim ?? null), ...this.lifetimeLabel(call) };
    const cached = this.options.total?.buildCacheBytes !== undefined && builds(call);
    const buildEnded = cached ? this.shared.disk.cache.begin(callHolder(call)) : null;
    const ended = (status: number): void => {
      pledge?.settle(status);
      buildEnded?.();
      this.callEnded(call, labels, status);
    };
    const { changes } = bounding;
    const rule = changes[0]?.rule ?? WITHIN;
    try {
      return this.judgeStream(call, { call: bounding.call, rule, changes, labels, onEnd: ended, ...load });
    } catch (fault) {
      ended(429);
      throw fault;
    }
  }

  private async bound(bounding: Bounding, places: ResourcePlaces, held: Json): Promise<void> {
    const { cpus, logs, ulimits } = this.options;
    const creates = bounding.call.endpoint.id === 'ContainerCreate';
    const nature = creates && (cpus !== undefined || logs !== undefined) ? await this.engineNature() : natureOf(null);
    if (places.size > 0) {
      const surroundings = {
        held: held === null ? null : heldResources(containerInspect, held),
        processors: nature.processors,
      };
      boundResources(bounding, places, this.options, surroundings);
    }
    if (ulimits !== undefined) boundUlimits(bounding, ulimits);
    if (logs !== undefined) boundLogs(bounding, logs, nature.logDriver);
  }

  /** The container of an update, as it is now. */
  private async heldBy({ endpoint, parameters }: Call, context: PolicyContext): Promise<Json> {
    const asks = endpoint.id === 'ContainerUpdate' && (this.totals !== null || this.options.cpus !== undefined);
    return asks ? context.lookUp('ContainerInspect', parameters) : null;
  }

  private async judgeDisk(call: Call): Promise<Pick<Verdict, 'load'>> {
    const { total } = this.options;
    let load: Pick<Verdict, 'load'> = {};
    for (const stock of stocksOf(call)) {
      const max = total?.[stock];
      if (max === undefined) continue;
      const held = await this.shared.disk.held(callHolder(call), stock, max, this.imagesOf(call));
      const over = (more: string): Refusal => {
        const message = `the limit of ${formatSize(max)} for ${oneHolder(call)} is reached; in use: ${formatSize(held)}${more}`;
        return refuse(POLICY, `total-${stock}`, message, { hint: diskHints[stock] }, 'over-limit');
      };
      if (held >= max) throw over('');
      if (call.endpoint.id !== 'ImageLoad' || call.namespace === null) continue;
      const size = ({ contents }: LoadedBytes): void => {
        if (held + contents > max) throw over(', and the archive holds more than is left');
      };
      load = { load: { size } };
    }
    return load;
  }

  /** How the engine's names of the caller's images begin; null where names do not tell whose they are. */
  private imagesOf({ namespace }: Call): string | null {
    const { namespaced } = this.creation;
    return namespace === null ? null : (namespaced?.images?.(namespace) ?? null);
  }

  private judgeStream(call: Call, verdict: Verdict): Verdict {
    const limited = this.opensLimited(call.endpoint);
    if (limited.length === 0) return verdict;
    const { total } = this.options;
    const holder = callHolder(call);
    for (const what of limited) {
      const count = this.shared.open.count(holder, what);
      const max = total?.[what] as number;
      if (count < max) continue;
      const message = `${oneHolder(call)} may have ${max} ${what} at one time, and ${count} are in use`;
      throw refuse(POLICY, `total-${what}`, message, { hint: 'try again when one has ended' }, 'too-many-at-once');
    }
    const closings = limited.map((what: AtOnce) => this.shared.open.open(holder, what));
    const onEnd = (status: number): void => {
      for (const close of closings) close();
      verdict.onEnd?.(status);
    };
    return { ...verdict, onEnd };
  }

  private opensLimited(endpoint: Endpoint): readonly AtOnce[] {
    let limited = this.opened.get(endpoint);
    if (limited === undefined) {
      const { total } = this.options;
      limited = opensOf(endpoint).filter((what) => total?.[what] !== undefined);
      this.opened.set(endpoint, limited);
    }
    return limited;
  }

  private ownerLabels({ endpoint, identity }: Call, claim: string | null): Readonly<Record<string, string>> {
    if (this.options.total === undefined || !labelled.has(endpoint.id)) return {};
    return { [USER_LABEL]: identity.user, ...(claim === null ? {} : { [CLAIM_LABEL]: claim }) };
  }

  private lifetimeLabel({ endpoint }: Call): Readonly<Record<string, string>> {
    const { lifetime } = this.options;
    if (lifetime === undefined || endpoint.id !== 'ContainerCreate') return {};
    return { [EXPIRES_LABEL]: String(Math.ceil((Date.now() + lifetime) / 1000)) };
  }

  private callEnded(call: Call, labels: Readonly<Record<string, string>>, status: number): void {
    const noted = this.options.total?.imageBytes !== undefined && this.imagesOf(call) === null;
    if (status >= 200 && status < 300 && noted) this.shared.disk.note(callHolder(call), call);
    if (this.options.lifetime === undefined) return;
    const expires = labels[EXPIRES_LABEL];
    const { lifetimes } = this.shared;
    if (expires !== undefined) lifetimes.lookAt(Number(expires) * 1000, this.creation.log);
    // One that is too old may have been started again.
    else if (starting.has(call.endpoint.id)) lifetimes.lookAt(Date.now(), this.creation.log);
  }

  private placesOf(endpoint: Endpoint): ResourcePlaces {
    const known = this.places.get(endpoint);
    if (known !== undefined) return known;
    const places = resourcePlaces(endpoint);
    this.places.set(endpoint, places);
    return places;
  }

  private async engineNature(): Promise<EngineNature> {
    this.nature ??= natureOf(await this.creation.engine.ask('SystemInfo'));
    return this.nature;
  }
}

const labelled: ReadonlySet<string> = new Set(['ContainerCreate', 'VolumeCreate', 'NetworkCreate']);
const starting: ReadonlySet<string> = new Set(['ContainerStart', 'ContainerRestart', 'ContainerUnpause']);

const diskHints = {
  imageBytes: 'remove images that are not needed',
  layerBytes: 'remove containers that are not needed',
  volumeBytes: 'remove volumes that are not needed',
  buildCacheBytes: 'docker image prune, or ask the administrator to prune the build cache of the engine',
} as const;

function nothingFor(call: Call): Verdict {
  return { call, rule: WITHIN, changes: NO_CHANGES };
}
