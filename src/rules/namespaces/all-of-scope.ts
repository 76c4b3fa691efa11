/** What is about all things of a runner, whatever project they are for: lists, counts, events and prunes. */

import type { Endpoint } from '../../docker/endpoint.ts';
import { joinAnswers } from '../../docker/joined-answers.ts';
import { listIn } from '../../docker/named-things.ts';
import type { FilterValues } from '../../docker/query.ts';
import { withCounts } from '../../docker/told-otherwise.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { InnerPassage, Offer } from '../../exchange/mediation.ts';
import type { Namespace, OwnAnswer, Passage } from '../../exchange/namespacing.ts';
import type { PolicyContext } from '../../exchange/policy.ts';
import type { Json } from '../../ground/json.ts';
import type { EngineSide } from './engine-side.ts';
import { withoutStrangers } from './entering.ts';
import { enginePattern } from './filters.ts';
import { ownEvents } from './own-events.ts';
import type { OwnNamespace } from './own-namespace.ts';
import { RULE, referencesIn } from './references.ts';
import type { Scope } from './scope.ts';

const LISTS: ReadonlySet<string> = new Set(['ContainerList', 'NetworkList', 'NetworkListSlash', 'VolumeList']);
const PRUNES: ReadonlySet<string> = new Set(['ContainerPrune', 'NetworkPrune', 'VolumePrune']);
const OTHERS: ReadonlySet<string> = new Set(['SystemDataUsage', 'SystemInfo', 'SystemEvents']);
/** Of any namespace, within a pattern. */
const ANY_NAMESPACE = '[a-z0-9][a-z0-9-]*';

export function isAboutAll({ id }: Endpoint): boolean {
  return LISTS.has(id) || PRUNES.has(id) || OTHERS.has(id);
}

export class AllOfScope implements Namespace {
  readonly name: string;
  readonly context: PolicyContext;
  private readonly scope: Scope;
  private readonly common: OwnNamespace;
  private readonly side: EngineSide;
  private readonly namespace: (name: string) => OwnNamespace;

  /** `common`: what belongs to no project, and has no things. */
  constructor(scope: Scope, common: OwnNamespace, side: EngineSide, namespace: (name: string) => OwnNamespace) {
    this.name = common.name;
    this.context = common.context;
    this.scope = scope;
    this.common = common;
    this.side = side;
    this.namespace = namespace;
  }

  answerAlone(call: Call): OwnAnswer | null {
    return this.common.answerAlone(call);
  }

  offered(headers: Call['headers'], offer: Offer): () => void {
    return this.common.offered(headers, offer);
  }

  enterInner(call: Call): Promise<InnerPassage> {
    return this.common.enterInner(call);
  }

  async enter(said: Call): Promise<Passage> {
    const call = withoutStrangers(said);
    const { id } = call.endpoint;
    refuseNames(call);
    const projects = (await this.scope.all()).map(this.namespace);
    if (PRUNES.has(id)) return this.prune(call, projects);
    for (const project of projects) await project.settle(call);
    if (id === 'SystemEvents') return this.follow(call);
    const passed = await this.common.enter(call);
    if (id === 'SystemInfo') return this.withAllCounts(passed);
    const told = (document: Json, status: number): Json | undefined => {
      const own = passed.names.told(document, status);
      if (status >= 400 || own === undefined) return own;
      return joinAnswers(id, [own, ...projects.map((project) => project.tell(call.endpoint, document))]);
    };
    return { ...passed, call: LISTS.has(id) ? this.listed(call) : passed.call, names: { ...passed.names, told } };
  }

  private listed(call: Call): Call {
    const said = (call.query.filters ?? {}) as FilterValues;
    const filters: Record<string, readonly string[]> = Object.assign(Object.create(null), said);
    filters.label = [...(said.label ?? []), this.scope.label];
    if (said.name !== undefined) filters.name = said.name.map((pattern) => enginePattern(pattern, ANY_NAMESPACE));
    return { ...call, query: { ...call.query, filters } };
  }

  private async withAllCounts(passed: Passage): Promise<Passage> {
    const query = { all: true, filters: { label: [this.scope.label] } };
    const containers = listIn('container', await this.side.desk.ask('ContainerList', { query }));
    const told = (document: Json, status: number): Json | undefined => {
      const info = passed.names.told(document, status);
      return info === undefined || status >= 400 ? info : withCounts(info, containers);
    };
    return { ...passed, names: { ...passed.names, told } };
  }

  private async follow(call: Call): Promise<Passage> {
    const passed = await this.common.enter(call);
    const { feed, desk } = this.side;
    const stream = ownEvents(call, {
      feed,
      desk,
      shows: (owner) => this.scope.has(owner),
      // Images are the runner's, not a project's.
      showsImage: (event) => this.common.showsImage(event),
      told: (event, owner) => (owner === null ? this.common : this.namespace(owner)).tell(call.endpoint, event),
    });
    return { ...passed, stream };
  }

  /** One project after the other, each as if it were alone. */
  private async prune(call: Call, projects: readonly OwnNamespace[]): Promise<Passage> {
    const passed = await this.common.enter(call);
    const answers: Json[] = [];
    for (const project of [this.common, ...projects]) {
      // What an administrator removes has nothing left to be pruned.
      if (this.side.closing.has(project.name)) continue;
      const { call: own, names } = await project.enter(call);
      const { parameters, query } = own;
      const { status, answer } = await this.side.desk.order(own.endpoint.id, { parameters, query });
      const told = names.told(answer, status) ?? null;
      if (status >= 400) return { ...passed, answer: { status, body: told } };
      answers.push(told);
    }
    return { ...passed, answer: { status: 200, body: joinAnswers(call.endpoint.id, answers) } };
  }
}

/** A filter by a thing would be one by a thing of each project. */
function refuseNames(call: Call): void {
  if (call.endpoint.id === 'SystemEvents') return;
  const [reference] = referencesIn(call);
  if (reference === undefined) return;
  const what = `must not name a ${reference.kind}: each project of this listener may have one`;
  throw refuse(RULE, 'ambiguous', what, { place: 'query.filters', hint: 'look for a label' });
}
