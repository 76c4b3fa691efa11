/** One namespace on one engine: how a call comes in, and how its answer goes out. */

import type { Endpoint } from '../../docker/endpoint.ts';
import { lenders } from '../../docker/lends.ts';
import { withoutLent } from '../../docker/lent-paths.ts';
import { listIn, messageIn, type NamedKind, thingIn, withMessage } from '../../docker/named-things.ts';
import { ANONYMOUS_LABEL, madeId, nameAsked, withName, withoutDuplicate } from '../../docker/own-requests.ts';
import { withLabels } from '../../docker/reserved-labels.ts';
import { withoutSocket } from '../../docker/socket-note.ts';
import { saysOverlap, withoutOtherNetwork } from '../../docker/subnets.ts';
import { asAlone, withCounts, withImageUse } from '../../docker/told-otherwise.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import { lookUpOf } from '../../exchange/look-up.ts';
import type { InnerPassage, Offer } from '../../exchange/mediation.ts';
import { engineName, type Namespace, type OwnAnswer, type Passage } from '../../exchange/namespacing.ts';
import type { PolicyContext } from '../../exchange/policy.ts';
import { isList, isObject, type Json, type JsonObject } from '../../ground/json.ts';
import type { Refusal } from '../../ground/refusal.ts';
import type { EngineSide, ImageHolder, NamespaceSettings } from './engine-side.ts';
import { alreadyThere, endpointOf, PLAIN, spokenIn, withoutStrangers } from './entering.ts';
import { withOwnFilters } from './filters.ts';
import { removeFreed } from './freed-volumes.ts';
import { ImageCalls, type ImageStep } from './image-calls.ts';
import { ImageNames } from './image-names.ts';
import { DEFAULT_NETWORK } from './names.ts';
import { Outward } from './outward.ts';
import { beforeBuild, OwnBuild } from './own-build.ts';
import { OwnBuildkit } from './own-buildkit.ts';
import { OwnContainers } from './own-containers.ts';
import { OwnCreate } from './own-create.ts';
import { ownEvents } from './own-events.ts';
import { OwnImages } from './own-images.ts';
import { OwnNetwork } from './own-network.ts';
import { ATTEMPTS, withOwnSubnets } from './own-subnets.ts';
import { OwnThings } from './own-things.ts';
import { labelled, labelsOf } from './ownership.ts';
import { Passages, STRICT } from './passages.ts';
import type { Spoken } from './prose.ts';
import { type Reference, type Resolved, RULE, referencesIn, withEngineNames } from './references.ts';
import { answerAlone, changes, closed, refuseUnserved } from './served.ts';
import { SharedNetworks } from './shared-networks.ts';
import { sharedStepsOf } from './shared-steps.ts';
import { refuseAnothers, unnamedVolume } from './volumes.ts';

const PRUNED: Readonly<Record<string, NamedKind>> = {
  ContainerPrune: 'container',
  NetworkPrune: 'network',
  VolumePrune: 'volume',
};
/** What is known of a name is not so any more when one of these has been done. */
const MOVES: ReadonlySet<string> = new Set(['ContainerRename', 'NetworkDelete']);

export class OwnNamespace implements Namespace {
  readonly name: string;
  readonly context: PolicyContext;
  private readonly side: EngineSide;
  private readonly settings: NamespaceSettings;
  private readonly outward: Outward;
  private readonly shared: SharedNetworks;
  private readonly network: OwnNetwork;
  private readonly create: OwnCreate;
  private readonly images: OwnImages;
  private readonly imageCalls: ImageCalls;
  private readonly things: OwnThings;
  private readonly buildkit: OwnBuildkit;
  private readonly passages: Passages;
  private readonly containers: OwnContainers;

  /** `holder`: whose images its containers are made of; it itself where nobody else is named. */
  constructor(name: string, side: EngineSide, settings: NamespaceSettings, holder?: ImageHolder) {
    this.name = name;
    this.side = side;
    this.shared = new SharedNetworks(settings.networks.shared, side.desk);
    const images = new ImageNames(holder?.namespace ?? name, settings.images);
    this.images = new OwnImages(images, side.desk);
    this.imageCalls = new ImageCalls(this.images, side, settings.images, holder?.label ?? labelled(name));
    this.buildkit = new OwnBuildkit(name, this.images, settings.builds);
    this.outward = new Outward(name, side.directory, this.shared, images);
    this.network = new OwnNetwork(name, side, settings);
    this.things = new OwnThings(name, side, this.shared, this.network);
    this.passages = new Passages(this.outward, side.desk);
    this.create = new OwnCreate(name, side, settings, this.network);
    const { network, create, shared, passages } = this;
    this.containers = new OwnContainers(name, side, {
      network,
      creates: create,
      shared,
      passages,
      sockets: settings.sockets ?? null,
    });
    this.settings = settings;
    this.context = { lookUp: (endpointId, parameters) => this.lookUp(endpointId, parameters) };
  }

  answerAlone(call: Call): OwnAnswer | null {
    return answerAlone(call);
  }

  /** What of the engine's answer is the namespace's, as its clients know it. */
  tell(endpoint: Endpoint, document: Json): Json {
    return this.outward.answer(endpoint, document, [], STRICT.test(endpoint.id));
  }

  /** Whether an event tells of an image of the namespace, as its clients may know. */
  showsImage(event: Json): boolean {
    return this.imageCalls.showsEvent(event);
  }

  /** Knows afterwards what has to be known to tell an answer of the call. */
  async settle({ endpoint }: Call): Promise<void> {
    if (STRICT.test(endpoint.id)) await this.side.directory.settle(this.name, 'container');
  }

  async enter(said: Call): Promise<Passage> {
    const { endpoint } = said;
    refuseUnserved(endpoint);
    if (!changes(endpoint)) return this.enterOpen(said);
    if (this.isClosed()) throw closed();
    return this.side.changing.during(this.name, () => this.enterOpen(said));
  }

  private isClosed(): boolean {
    return this.side.closing.has(this.name) || this.settings.isOver?.() === true;
  }

  private async enterOpen(said: Call): Promise<Passage> {
    const { endpoint } = said;
    const known = withoutStrangers(said);
    if (endpoint.id === 'Session') return this.passages.passage(this.buildkit.offering(known), []);
    if (endpoint.id === 'SystemEvents') return this.enterEvents(known);
    if (endpoint.id === 'ImageBuild') return this.enterBuild(beforeBuild(known));
    const named = endpoint.id === 'ContainerCreate' ? await this.create.before(known) : known;
    await this.shared.settle();
    await this.settle(named);
    const step = await this.imageCalls.enter(named);
    if (step !== null) return this.enterImages(step);
    // What a commit says of its image is said of the new one.
    const call = endpoint.id === 'ImageCommit' ? named : await this.images.translate(named);
    const references = referencesIn(call);
    const resolved = await this.things.resolve(references, call);
    if (resolved === null) return { call, names: PLAIN, answer: { status: 204, body: null } };
    return this.act(call, references, resolved, spokenIn(references, resolved));
  }

  offered(headers: Call['headers'], offer: Offer): () => void {
    return this.buildkit.offered(headers, offer);
  }

  async enterInner(said: Call): Promise<InnerPassage> {
    if (changes(said.endpoint) && this.isClosed()) throw closed();
    return this.buildkit.enter(withoutStrangers(said));
  }

  private async enterBuild(call: Call): Promise<Passage> {
    await this.shared.settle();
    const references = referencesIn(call);
    const resolved: Resolved = (await this.things.resolve(references, call)) ?? new Map();
    const passed = this.passages.passage(withEngineNames(call, this.name, resolved), spokenIn(references, resolved));
    const keepNetwork = (): void => this.network.keep();
    const { images, settings, side } = this;
    const { cacheScopeOf, keepsSteps } = settings.builds;
    const cache = keepsSteps ? sharedStepsOf(cacheScopeOf(call.identity, this.name), images, side.desk) : null;
    return new OwnBuild(call, passed, { images, desk: side.desk, keepNetwork, cache }).enter();
  }

  private async act(
    call: Call,
    references: readonly Reference[],
    resolved: Resolved,
    spoken: readonly Spoken[],
  ): Promise<Passage> {
    const named = (): Call => withOwnFilters(withEngineNames(call, this.name, resolved), this.name);
    const { id } = call.endpoint;
    const body = isObject(call.body) ? call.body : null;
    switch (id) {
      case 'ContainerCreate': {
        if (body !== null) await this.create.makeNamed(body, references);
        return this.containers.create(named(), spoken);
      }
      case 'NetworkCreate':
        if (body !== null && this.shared.hasName(nameAsked(body))) return alreadyThere(call, nameAsked(body));
        return this.createNetwork(call, named(), spoken);
      case 'VolumeCreate':
        return this.createVolume(this.ownVolume(call, named()), spoken);
      case 'NetworkConnect':
        return this.containers.connect(named(), spoken);
      case 'ContainerStart':
      case 'ContainerRestart':
        return this.containers.start(named(), resolved, spoken);
      case 'NetworkList':
      case 'NetworkListSlash': {
        const shared = await this.shared.listedFor(call);
        return this.passages.passage(named(), spoken, undefined, (list) => this.withShared(list, shared));
      }
      case 'NetworkDelete':
        this.refuseDefault(resolved);
        break;
      case 'VolumeDelete':
        for (const { kind, id: gone } of resolved.values()) this.side.directory.lose(kind, gone);
        return this.passages.order(named(), spoken, undefined, (removal) =>
          removeFreed(this.side.desk, this.name, removal),
        );
      case 'ImageCommit':
        return this.enterImages(await this.imageCalls.commit(named()), spoken);
      case 'ContainerDelete':
        return this.containers.remove(call, named(), resolved, spoken);
      case 'SystemInfo': {
        const [containers, images] = await Promise.all([this.ownContainers(), this.images.all()]);
        return this.passages.passage(named(), spoken, undefined, (info) => withCounts(info, containers, images.length));
      }
      case 'SystemDataUsage': {
        const containers = await this.ownContainers();
        return this.passages.passage(named(), spoken, undefined, (usage) => withImageUse(usage, containers));
      }
      case 'ContainerInspect':
        return this.passages.passage(named(), spoken, undefined, (inspection) => asAlone(inspection, DEFAULT_NETWORK));
      default:
        await this.refuseImpostors(id);
    }
    if (MOVES.has(id)) for (const { kind, id: moved } of resolved.values()) this.side.directory.lose(kind, moved);
    return this.passages.passage(named(), spoken);
  }

  private async ownContainers(): Promise<readonly Json[]> {
    const query = { all: true, filters: { label: [labelled(this.name)] } };
    return listIn('container', await this.side.desk.ask('ContainerList', { query }));
  }

  private enterImages(step: ImageStep, spoken: readonly Spoken[] = []): Passage {
    const { call, answer, show, load, through, ended } = step;
    const passed = this.passages.passage(call, spoken, undefined, show);
    const body = answer === undefined ? null : (passed.names.told(answer.body, answer.status) ?? null);
    return {
      ...passed,
      ...(answer === undefined ? {} : { answer: { ...answer, body } }),
      ...(load === undefined ? {} : { load }),
      ...(through === undefined ? {} : { through }),
      ...(ended === undefined ? {} : { ended }),
    };
  }

  private enterEvents(call: Call): Passage {
    // Nothing of the call goes to the engine.
    const passed = this.passages.passage({ ...call, query: {} }, []);
    const { feed, desk } = this.side;
    const stream = ownEvents(call, {
      feed,
      desk,
      shows: (owner) => owner === this.name,
      showsImage: (event) => this.showsImage(event),
      told: (event) => passed.names.told(event, 200),
    });
    return { ...passed, stream };
  }

  /** dockerd answers with the volume that is there already, so whose it is is seen before the answer is told. */
  private async createVolume(named: Call, spoken: readonly Spoken[]): Promise<Passage> {
    return this.passages.order(named, spoken, (answer) => {
      refuseAnothers(this.name, answer);
      const made = thingIn('volume', answer);
      if (made !== null) this.side.directory.learn(this.name, made);
    });
  }

  /** Told when the firewall holds for it: nobody is attached before. */
  private async createNetwork(call: Call, named: Call, spoken: readonly Spoken[]): Promise<Passage> {
    const { traffic } = this.side;
    traffic.beforeNetwork();
    const labelled = withLabels(named.body as JsonObject, labelsOf(this.side, this.name));
    let made = '';
    const learn = (answer: Json): void => {
      made = madeId(answer);
      this.learn('network', answer, call);
    };
    for (let attempt = 1; ; attempt++) {
      const own = await withOwnSubnets(withoutDuplicate(labelled), this.side, this.settings.networks);
      const passed = await this.passages.order({ ...named, body: own.body }, spoken, learn);
      const { status, body } = passed.answer;
      await traffic.made(made);
      if (status < 400 || !saysOverlap(messageIn(body))) return passed;
      if (own.chosen && attempt < ATTEMPTS) continue;
      const message = withoutOtherNetwork(messageIn(body));
      return { ...passed, answer: { status, body: withMessage(body, message) } };
    }
  }

  private ownVolume(call: Call, named: Call): Call {
    const body = named.body as JsonObject;
    const name = nameAsked(call.body as JsonObject);
    const unnamed = name === '' ? engineName(this.name, unnamedVolume()) : nameAsked(body);
    const labels = { ...labelsOf(this.side, this.name), ...(name === '' ? { [ANONYMOUS_LABEL]: '' } : {}) };
    return { ...named, body: withLabels(withName(body, unnamed), labels) };
  }

  private learn(kind: NamedKind, answer: Json, call: Call): void {
    const id = madeId(answer);
    const name = engineName(this.name, nameAsked(call.body as JsonObject));
    if (id !== '') this.side.directory.learn(this.name, { kind, id, name });
  }

  private refuseDefault(resolved: Resolved): void {
    for (const { kind, name } of resolved.values()) {
      if (kind === 'network' && name === engineName(this.name, DEFAULT_NETWORK)) {
        throw refuse(RULE, 'predefined', `${DEFAULT_NETWORK} is a pre-defined network and cannot be removed`);
      }
      if (kind === 'network' && this.shared.hasName(name)) {
        throw refuse(RULE, 'shared', `${name} is a network that is shared, and is not removed from here`);
      }
    }
  }

  private async refuseImpostors(endpointId: string): Promise<void> {
    const kind = PRUNED[endpointId];
    if (kind === undefined || !(await this.side.directory.hasImpostors(this.name, kind))) return;
    throw refuse(RULE, 'impostor', `a ${kind} of somebody else carries the label of this namespace`, {
      hint: 'an administrator must remove it, or its label, first',
    });
  }

  private withShared(list: Json, shared: readonly Json[]): Json {
    const inspect = endpointOf('NetworkInspect');
    return isList(list) ? [...list, ...shared.map((one) => this.outward.answer(inspect, one, [], true))] : list;
  }

  /** What a policy asks about: as the client would see it, with our labels. */
  private async lookUp(endpointId: string, parameters: Readonly<Record<string, string>>): Promise<Json> {
    const ask = lookUpOf(this.side.desk);
    if (endpointId === 'ImageInspect') {
      return this.outward.answer(endpointOf(endpointId), await this.images.inspection(parameters.name ?? ''), [], true);
    }
    const lent = Object.entries(lenders).find(([, lender]) => lender?.inspect === endpointId);
    if (lent === undefined) return ask(endpointId, parameters);
    const [kind, lender] = lent;
    const text = parameters[lender?.parameter as string] as string;
    const reference = { kind: kind as Reference['kind'], text: text.replace(/^\//, ''), made: false, filter: false };
    let engine: string;
    try {
      engine = await this.things.engineReference(reference);
    } catch (fault) {
      if ((fault as Refusal).code === 'not-found') return null;
      throw fault;
    }
    const answer = await ask(endpointId, { [lender?.parameter as string]: engine });
    // A socket of its own is no right over the host.
    return answer === null
      ? null
      : this.outward.answer(endpointOf(endpointId), withoutLent(withoutSocket(answer)), [], false);
  }
}
