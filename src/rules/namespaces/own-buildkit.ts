/**
 * Builds by BuildKit within a namespace: what they are called, whose cache they write, and where their images come from.
 * The engine itself holds to it, by rules for the sources of the build.
 */

import { createHash, randomBytes } from 'node:crypto';
import { LRUCache } from 'lru-cache';
import {
  importsCache,
  madeImages,
  pullsAnew,
  recordOf,
  refOf,
  sessionIn,
  sessionOf,
  shownRecord,
  stepsIn,
  withBuildScope,
  withImageId,
  withImageNames,
  withoutCacheImports,
  withoutDefaultProvenance,
  withoutPush,
  withSharedKey,
  withStep,
} from '../../docker/buildkit-requests.ts';
import { formatReference, readReference, tagged } from '../../docker/image-reference.ts';
import { isNeutral } from '../../docker/neutral.ts';
import { imageSource, type SourceRule } from '../../docker/source-policy.ts';
import { type Leaf, visit } from '../../docker/visit.ts';
import { visitCall } from '../../docker/visit-call.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { InnerNames, InnerPassage, Offer } from '../../exchange/mediation.ts';
import { engineName } from '../../exchange/namespacing.ts';
import type { Json } from '../../ground/json.ts';
import type { BuildSettings } from './engine-side.ts';
import type { ImageGateway, ImageGrant } from './image-gateway.ts';
import type { ImageNames } from './image-names.ts';
import { clientName } from './names.ts';
import type { OwnImages } from './own-images.ts';
import { RULE } from './references.ts';

/** Registries by name, and by addresses that are not the machine's own: the gateway is at one of those by default. */
const HOST = '([a-z0-9-]*[a-z][a-z0-9.-]*|(?:[0-9]|[1-9][0-9]|1[013-9][0-9]|12[0-689]|2[0-9][0-9])(?:\\.[0-9]+){3})';
const LOOPBACK = /^127\./;
const WORD = /[^\s,"']+/g;
const IMAGE = 'docker-image://';
/** A name within an address, where it is not looked for as a word. */
const SOURCE = /docker-image:\/\/([^\s,"']+)/g;
const NAMES_KEPT = 1000;
/** Between two targets of one call. */
const LINGER_MS = 30_000;
const WHY = '[berthgate] --cache-from is left out: in a namespace builds are cached by the engine, for their owner';
const LEFT_OUT = { name: WHY, digest: `sha256:${createHash('sha256').update(WHY).digest('hex')}` };
const SHARED = { key: 'berthgate', value: 'shared' } as const;
/** What gives no more than a build has anyhow, or is judged by policies alone. */
const HARMLESS: ReadonlySet<string> = new Set(['shared', 'cgroup']);

interface SharedGrant {
  readonly grant: ImageGrant;
  builds: number;
}

export class OwnBuildkit {
  private readonly namespace: string;
  private readonly images: OwnImages;
  private readonly settings: BuildSettings;
  /** What a name of the engine was called when it was given. */
  private readonly said = new LRUCache<string, string>({ max: NAMES_KEPT });
  private readonly offers = new Map<string, Offer>();
  /** Builds that named a cache which is left out. */
  private readonly withoutCache = new LRUCache<string, true>({ max: NAMES_KEPT });
  /** By session. */
  private readonly grants = new Map<string, SharedGrant>();

  constructor(namespace: string, images: OwnImages, settings: BuildSettings) {
    this.namespace = namespace;
    this.images = images;
    this.settings = settings;
  }

  /** The call by which a client offers something to its builds, and to nobody else's. */
  offering(call: Call): Call {
    const own = visitCall(call, (leaf) => this.named(leaf));
    return withSharedKey(own, engineName(this.namespace, ''));
  }

  offered(headers: Call['headers'], offer: Offer): () => void {
    const session = sessionIn(headers);
    this.offers.set(session, offer);
    return () => {
      if (this.offers.get(session) === offer) this.offers.delete(session);
    };
  }

  /** @throws Refusal */
  async enter(call: Call): Promise<InnerPassage> {
    // What is imported becomes everybody's: steps that copy files have no salt in their keys.
    const ref = refOf(call);
    if (ref !== null && importsCache(call)) this.withoutCache.set(ref, true);
    // Provenance would name images as the engine knows them.
    const own = visitCall(withoutDefaultProvenance(withoutCacheImports(call)), (leaf) => this.named(leaf));
    const passage = { call: own, names: this.names(call), answer: null, sources: [], found: [], ended: () => {} };
    switch (call.endpoint.id) {
      // The cache is of all builds of the engine: a namespace has none to look at, and none to empty.
      case 'BuildkitDiskUsage':
        return { ...passage, answer: [{}] };
      case 'BuildkitPrune':
        return { ...passage, answer: [] };
      case 'BuildkitSession':
        return { ...passage, call: this.offering(call) };
      case 'BuildkitSolve':
        return { ...passage, ...(await this.solve(own)) };
      case 'BuildkitBridgeSolve':
        return { ...passage, call: this.scoped(own) };
      default:
        return passage;
    }
  }

  private async solve(call: Call): Promise<Pick<InnerPassage, 'call' | 'sources' | 'found' | 'ended'>> {
    const gateway = this.images.names.needGateway();
    const named = await this.withOwnImages(withoutPush(this.scoped(call)));
    const { grant, ended } = this.grantFor(sessionOf(call));
    const prefix = prefixOf(gateway, grant);
    const here = await this.here(pullsAnew(call));
    const found = Object.values(gateway.names.addresses);
    const sources: readonly SourceRule[] = [
      ...here.filter(({ action }) => action !== 'allow'),
      ...found.filter((one) => !LOOPBACK.test(one)).map(asItStands),
      { ...convert(`${HOST}/(.*)`, `docker-image://${prefix}${group(1)}/${group(2)}`), unless: SHARED },
      {
        ...convert(`${HOST}:([0-9]+)/(.*)`, `docker-image://${prefix}${group(1)}__${group(2)}/${group(3)}`),
        unless: SHARED,
      },
      { action: 'deny', regex: imageSource('.*') },
      ...this.prefixes(gateway).map(
        (one): SourceRule => ({ action: 'allow', regex: imageSource(`${escaped(one)}.*`) }),
      ),
      ...here.filter(({ action }) => action === 'allow'),
      ...here.filter(({ marks }) => marks !== undefined).map(({ regex }): SourceRule => ({ action: 'allow', regex })),
    ];
    return { call: named, sources, found, ended };
  }

  /** The client's own credentials, as it offers them to the build. */
  private grantFor(session: string): { readonly grant: ImageGrant; ended(): void } {
    let shared = this.grants.get(session);
    if (shared === undefined) {
      const gateway = this.images.names.needGateway();
      const credentials = (registry: string) => this.offers.get(session)?.credentials(registry) ?? null;
      shared = { grant: gateway.issue({ namespace: this.namespace, pull: 'every', push: [], credentials }), builds: 0 };
      this.grants.set(session, shared);
    }
    const { grant } = shared;
    const uses = shared;
    uses.builds++;
    const leave = (): void => {
      if (--uses.builds > 0) return;
      this.grants.delete(session);
      grant.end();
    };
    return { grant, ended: () => void setTimeout(leave, LINGER_MS).unref() };
  }

  /** Targets that are made of each other have sessions of their own, and name what another of them has found. */
  private prefixes(gateway: ImageGateway): readonly string[] {
    return [...this.grants.values()].map(({ grant }) => prefixOf(gateway, grant));
  }

  /** What is on the engine already: own images under the names by which the client knows them, and shared ones. */
  private async here(pulls: boolean): Promise<readonly SourceRule[]> {
    const { names } = this.images;
    return (await this.images.all()).flatMap(({ tags }) =>
      tags.flatMap((tag): readonly SourceRule[] => {
        const reference = readReference(tag);
        if (reference === null) return [];
        if (!names.isOwn(tag)) {
          const shared = `${escaped(formatReference(tagged(reference)))}(?:@.*)?`;
          return names.isShared(tag) ? [{ ...convert(shared, group(0)), marks: SHARED }] : [];
        }
        const client = names.toClient(reference);
        if (client === null) return [];
        const of = formatReference(client);
        const allow: SourceRule = { action: 'allow', regex: imageSource(`${escaped(tag)}(?:@.*)?`), of };
        return pulls ? [allow] : [convert(escaped(of), IMAGE + tag), allow];
      }),
    );
  }

  private async withOwnImages(call: Call): Promise<Call> {
    const { names } = this.images;
    const made = madeImages(call);
    if (made === null) return call;
    for (const name of made) {
      const reference = readReference(name);
      if (reference === null) throw refuse(RULE, 'image', `${name} is no reference of an image`);
      await this.images.keepFormer(tagged(reference), null);
    }
    const hidden = names.unnamed(`b${randomBytes(16).toString('hex')}`);
    const engineNames =
      made.length === 0
        ? [`${hidden.repository}:${hidden.tag}`]
        : made.flatMap((name) => {
            const reference = readReference(name);
            if (reference === null) return [];
            const engine = formatReference(names.toEngine(tagged(reference)));
            this.said.set(engine, name);
            return [engine];
          });
    return withImageNames(call, engineNames);
  }

  private scoped(call: Call): Call {
    const scope = this.images.names.needGateway().scopeOf(this.settings.cacheScopeOf(call.identity, this.namespace));
    for (const { hostname, cacheMounts } of stepsIn(call)) {
      // What a step of a client's own graph leaves in the cache would answer the same step of everybody.
      if (hostname !== scope) throw refuse(RULE, 'cache', 'a step whose cache is not of this namespace');
      for (const id of cacheMounts) {
        if (!id.startsWith(`${scope}/`)) throw refuse(RULE, 'cache', 'a cache mount of somebody else');
      }
    }
    return withBuildScope(call, scope);
  }

  private names(call: Call): InnerNames {
    const { endpoint } = call;
    const ref = endpoint.id === 'BuildkitStatus' ? refOf(call) : null;
    const toldText = (text: string): string => inClientsWords(text, this.images.names, this.said);
    return {
      toldText,
      told: (document) => {
        const record = recordOf(endpoint, document);
        if (record !== null && clientName(this.namespace, record) === null) return undefined;
        const { shape } = endpoint.answer;
        if (shape === undefined) return document;
        const told = visit(shape, shownRecord(endpoint, withImageId(call, document)), ({ marks, value }) => {
          if (typeof value !== 'string') return marks.some(({ mark }) => mark === 'reveals') ? undefined : value;
          if (marks.some(({ mark }) => mark === 'prose')) return toldText(value);
          if (marks.some(({ mark }) => mark === 'reveals')) return undefined;
          if (marks.some((mark) => mark.mark === 'uses' && mark.kind === 'build')) {
            return clientName(this.namespace, value) ?? '';
          }
          return value;
        });
        const isToKnow = ref !== null && this.withoutCache.delete(ref);
        return isToKnow && told !== undefined ? withStep(told, LEFT_OUT, Date.now()) : told;
      },
    };
  }

  private named(leaf: Leaf): Json | undefined {
    const { marks, value, place, shape } = leaf;
    if (isNeutral(shape, value)) return value;
    for (const mark of marks) {
      if (mark.mark === 'privilege' && !HARMLESS.has(mark.reach)) {
        throw refuse(RULE, 'builder', `must be left out: ${mark.why}`, { place });
      }
      if (mark.mark === 'fetches' && !this.settings.addresses.permits(String(value))) {
        throw refuse(RULE, 'builder', 'no build here connects to this address', { place });
      }
      if (mark.mark !== 'uses' && mark.mark !== 'makes') continue;
      const isOurs = mark.kind === 'session' || (mark.kind === 'build' && mark.spelling === 'name');
      if (isOurs && typeof value === 'string') return engineName(this.namespace, value);
      if (mark.kind === 'image' && /\.?Attrs\.ref$/.test(place)) {
        throw refuse(RULE, 'builder', 'a cache in a registry is not served in a namespace', { place });
      }
    }
    return value;
  }
}

function prefixOf({ names }: ImageGateway, { capability }: ImageGrant): string {
  return `${names.addresses.builds}/c_${capability}/`;
}

function convert(image: string, to: string): SourceRule {
  return { action: { convertTo: to }, regex: imageSource(image) };
}

/** Of an address: it is not taken for that of a registry. */
function asItStands(address: string): SourceRule {
  return { ...convert(`${escaped(address)}/.*`, group(0)), marks: SHARED };
}

/** What BuildKit says of its sources, and of the names that it gives. */
function inClientsWords(text: string, names: ImageNames, said: LRUCache<string, string>): string {
  const spelled = text.replace(WORD, (word) => said.get(word) ?? word);
  return names
    .inProse(names.ofBuildsInProse(spelled))
    .replace(SOURCE, (_, name: string) => IMAGE + names.inProse(name));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}

/** What a part of a regular expression has matched, as RE2 is told it. */
function group(number: number): string {
  return `\${${number}}`;
}
