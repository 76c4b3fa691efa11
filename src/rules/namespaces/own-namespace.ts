/** One namespace on one engine: how a call comes in, and how its answer goes out. */

import { connectedContainer, withConnectAlias } from '../../docker/container-create.ts';
import type { Endpoint } from '../../docker/endpoint.ts';
import { withoutHost } from '../../docker/hide-host.ts';
import { lenders } from '../../docker/lends.ts';
import { listIn, messageIn, type NamedKind, thingIn, withMessage } from '../../docker/named-things.ts';
import { ANONYMOUS_LABEL, madeId, nameAsked, withName, withoutDuplicate } from '../../docker/own-requests.ts';
import { hideReserved, withLabels } from '../../docker/reserved-labels.ts';
import { saysOverlap, withoutOtherNetwork } from '../../docker/subnets.ts';
import { asAlone, withCounts, withImageUse } from '../../docker/told-otherwise.ts';
import { visit } from '../../docker/visit.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import { lookUpOf } from '../../exchange/look-up.ts';
import type { InnerPassage, Offer } from '../../exchange/mediation.ts';
import { engineName, type Namespace, type OwnAnswer, type Passage } from '../../exchange/namespacing.ts';
import type { PolicyContext } from '../../exchange/policy.ts';
import { isList, isObject, type Json, type JsonObject } from '../../ground/json.ts';
import type { Refusal } from '../../ground/refusal.ts';
import type { EngineSide, ImageHolder, NamespaceSettings } from './engine-side.ts';
import { alreadyThere, endpointOf, PLAIN, refuseImport, spokenIn, withoutStrangers } from './entering.ts';
import { withOwnFilters } from './filters.ts';
import { ImageCalls, type ImageStep } from './image-calls.ts';
import { ImageNames } from './image-names.ts';
import { clientName, DEFAULT_NETWORK } from './names.ts';
import { Outward } from './outward.ts';
import { beforeBuild, OwnBuild } from './own-build.ts';
import { OwnBuildkit } from './own-buildkit.ts';
import { OwnCreate } from './own-create.ts';
import { ownEvents } from './own-events.ts';
import { OwnImages } from './own-images.ts';
import { OwnNetwork } from './own-network.ts';
import { ATTEMPTS, withOwnSubnets } from './own-subnets.ts';
import { OwnThings } from './own-things.ts';
import { labelled, labelsOf } from './ownership.ts';
import type { Spoken } from './prose.ts';
import { type Reference, type Resolved, RULE, referencesIn, withEngineNames } from './references.ts';
import { answerAlone, refuseUnserved } from './served.ts';
import { SharedNetworks } from './shared-networks.ts';
import { refuseAnothers, removeVolumes, unnamedOf, unnamedVolume } from './volumes.ts';

type Told = (document: Json, status: number) => Json | undefined;

const PRUNED: Readonly<Record<string, NamedKind>> = {
  ContainerPrune: 'container',
  NetworkPrune: 'network',
  VolumePrune: 'volume',
};
/** Answers in which ids of containers stand that need not be the namespace's. */
const STRICT = /^(Image|Network|SystemDataUsage)/;
/** What is known of a name is not so any more when one of these has been done. */
const MOVES: ReadonlySet<string> = new Set(['ContainerRename', 'NetworkDelete', 'VolumeDelete']);

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

  /** `holder`: whose images its containers are made of; it itself where nobody else is named. */
  constructor(name: string, side: EngineSide, settings: NamespaceSettings, holder?: ImageHolder) {
    this.name = name;
    this.side = side;
    this.shared = new SharedNetworks(settings.networks.shared, side.desk);
    const images = new ImageNames(holder?.namespace ?? name, settings.images);
    this.images = new OwnImages(images, side.desk);
    this.imageCalls = new ImageCalls(this.images, side.desk, settings.images, holder?.label ?? labelled(name));
    this.buildkit = new OwnBuildkit(name, this.images);
    this.outward = new Outward(name, side.directory, this.shared, images);
    this.network = new OwnNetwork(name, side, settings);
    this.things = new OwnThings(name, side, this.shared, this.network);
    this.create = new OwnCreate(name, side, settings, this.network);
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

  /** Knows afterwards what has to be known to tell an answer of the call. */
  async settle({ endpoint }: Call): Promise<void> {
    if (STRICT.test(endpoint.id)) await this.side.directory.settle(this.name, 'container');
  }

  async enter(said: Call): Promise<Passage> {
    const { endpoint } = said;
    refuseUnserved(endpoint);
    refuseImport(said);
    const known = withoutStrangers(said);
    if (endpoint.id === 'Session') return this.passage(this.buildkit.offering(known), []);
    if (endpoint.id === 'SystemEvents') return this.enterEvents(known);
    if (endpoint.id === 'ImageBuild') return this.enterBuild(beforeBuild(known));
    const named = endpoint.id === 'ContainerCreate' ? await this.create.before(known) : known;
    await this.shared.settle();
    await this.settle(named);
    const step = await this.imageCalls.enter(named);
    if (step !== null) return this.enterImages(step);
    const call = await this.images.translate(named);
    const references = referencesIn(call);
    const resolved = await this.things.resolve(references, call);
    if (resolved === null) return { call, names: PLAIN, answer: { status: 204, body: null } };
    return this.act(call, references, resolved, spokenIn(references, resolved));
  }

  offered(headers: Call['headers'], offer: Offer): () => void {
    return this.buildkit.offered(headers, offer);
  }

  enterInner(said: Call): Promise<InnerPassage> {
    return this.buildkit.enter(withoutStrangers(said));
  }

  private async enterBuild(call: Call): Promise<Passage> {
    await this.shared.settle();
    const references = referencesIn(call);
    const resolved: Resolved = (await this.things.resolve(references, call)) ?? new Map();
    const passed = this.passage(withEngineNames(call, this.name, resolved), spokenIn(references, resolved));
    const keepNetwork = (): void => this.network.keep();
    return new OwnBuild(call, passed, { images: this.images, desk: this.side.desk, keepNetwork }).enter();
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
        return this.createContainer(named(), spoken);
      }
      case 'NetworkCreate':
        if (body !== null && this.shared.hasName(nameAsked(body))) return alreadyThere(call, nameAsked(body));
        return this.createNetwork(call, named(), spoken);
      case 'VolumeCreate':
        return this.createVolume(this.ownVolume(call, named()), spoken);
      case 'NetworkConnect': {
        const connect = await this.withAlias(named());
        await this.shared.refuseChoices(connect);
        return this.passage(this.shared.withoutNames(connect), spoken);
      }
      case 'NetworkList':
      case 'NetworkListSlash': {
        const shared = await this.shared.listedFor(call);
        return this.passage(named(), spoken, undefined, (list) => this.withShared(list, shared));
      }
      case 'NetworkDelete':
        this.refuseDefault(resolved);
        break;
      case 'ContainerDelete':
        return this.deleteContainer(call, named(), resolved, spoken);
      case 'SystemInfo': {
        const [containers, images] = await Promise.all([this.ownContainers(), this.images.all()]);
        return this.passage(named(), spoken, undefined, (info) => withCounts(info, containers, images.length));
      }
      case 'SystemDataUsage': {
        const containers = await this.ownContainers();
        return this.passage(named(), spoken, undefined, (usage) => withImageUse(usage, containers));
      }
      case 'ContainerInspect':
        return this.passage(named(), spoken, undefined, (inspection) => asAlone(inspection, DEFAULT_NETWORK));
      default:
        await this.refuseImpostors(id);
    }
    if (MOVES.has(id)) for (const { kind, id: moved } of resolved.values()) this.side.directory.lose(kind, moved);
    return this.passage(named(), spoken);
  }

  private async ownContainers(): Promise<readonly Json[]> {
    const query = { all: true, filters: { label: [labelled(this.name)] } };
    return listIn('container', await this.side.desk.ask('ContainerList', { query }));
  }

  private passage(
    call: Call,
    spoken: readonly Spoken[],
    learn: (answer: Json) => void = () => {},
    show: (told: Json) => Json = (told) => told,
  ): Passage {
    const strict = STRICT.test(call.endpoint.id);
    const told: Told = (document, status) => {
      if (status >= 400) return withMessage(document, this.outward.refusal(call, messageIn(document), spoken));
      learn(document);
      return show(this.outward.answer(call.endpoint, document, spoken, strict));
    };
    return { call, answer: null, names: { told, toldText: (text) => this.outward.refusal(call, text, spoken) } };
  }

  private enterImages({ call, answer, show, ended }: ImageStep): Passage {
    const passed = this.passage(call, [], undefined, show);
    const body = answer === undefined ? null : (passed.names.told(answer.body, answer.status) ?? null);
    return {
      ...passed,
      ...(answer === undefined ? {} : { answer: { ...answer, body } }),
      ...(ended === undefined ? {} : { ended }),
    };
  }

  private enterEvents(call: Call): Passage {
    // Nothing of the call goes to the engine.
    const passed = this.passage({ ...call, query: {} }, []);
    const { feed, desk } = this.side;
    const stream = ownEvents(call, {
      feed,
      desk,
      shows: (owner) => owner === this.name,
      told: (event) => passed.names.told(event, 200),
    });
    return { ...passed, stream };
  }

  private async createContainer(named: Call, spoken: readonly Spoken[]): Promise<Passage> {
    await this.shared.refuseChoices(named);
    const { call: made, volumes } = await this.create.after(named);
    const call = this.shared.withoutNames(made);
    const passed = this.passage(call, spoken, (answer) => {
      const id = madeId(answer);
      if (id !== '') this.side.directory.learn(this.name, { kind: 'container', id, name: String(call.query.name) });
    });
    const told: Told = (document, status) => {
      // What was made for a container that is not to be goes again; a failure leaves an owned volume without a name.
      if (status >= 400) void removeVolumes(this.side, volumes).catch(() => {});
      return passed.names.told(document, status);
    };
    return { ...passed, names: { ...passed.names, told } };
  }

  private async deleteContainer(
    call: Call,
    named: Call,
    resolved: Resolved,
    spoken: readonly Spoken[],
  ): Promise<Passage> {
    if (call.query.link === true) throw refuse(RULE, 'link', 'must be false', { place: 'query.link' });
    const [container] = resolved.values();
    const id = container?.id as string;
    const volumes = call.query.v === true ? await unnamedOf(this.side, this.name, id) : [];
    if (volumes.length === 0) {
      this.side.directory.lose('container', id);
      return this.passage(named, spoken);
    }
    const done = await this.order(named, spoken);
    if (done.answer.status >= 400) return done;
    this.side.directory.lose('container', id);
    await removeVolumes(this.side, volumes);
    return done;
  }

  /** dockerd answers with the volume that is there already, so whose it is is seen before the answer is told. */
  private async createVolume(named: Call, spoken: readonly Spoken[]): Promise<Passage> {
    return this.order(named, spoken, (answer) => {
      refuseAnothers(this.name, answer);
      const made = thingIn('volume', answer);
      if (made !== null) this.side.directory.learn(this.name, made);
    });
  }

  /** Done here and now, where something has to follow before the client hears of it. */
  private async order(
    named: Call,
    spoken: readonly Spoken[],
    learn?: (answer: Json) => void,
  ): Promise<Passage & { readonly answer: OwnAnswer }> {
    const { endpoint, parameters, query, body } = named;
    const { status, answer } = await this.side.desk.order(endpoint.id, { parameters, query, body });
    const passed = this.passage(named, spoken, learn);
    const told = answer === null ? null : (passed.names.told(answer, status) ?? null);
    const { shape } = endpoint.answer;
    const plain = told === null || shape === undefined || status >= 400;
    const shown = plain ? told : withoutHost(shape, visit(shape, told, hideReserved));
    return { ...passed, answer: { status, body: shown } };
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
      const passed = await this.order({ ...named, body: own.body }, spoken, learn);
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

  private async withAlias(call: Call): Promise<Call> {
    const body = call.body as JsonObject;
    const name = this.side.directory.nameOf(connectedContainer(body));
    const alias = name === null ? null : clientName(this.name, name);
    return alias === null ? call : { ...call, body: withConnectAlias(body, alias) };
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
    return answer === null ? null : this.outward.answer(endpointOf(endpointId), answer, [], false);
  }
}
