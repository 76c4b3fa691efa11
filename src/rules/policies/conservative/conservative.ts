/**
 * `conservative`: what gives no privilege, reaches nothing of the host and is known passes; everything else is refused,
 * so that what Docker adds tomorrow is refused until somebody has thought about it.
 */

import { opensBuild } from '../../../docker/buildkit-requests.ts';
import { fillIn } from '../../../docker/create-defaults.ts';
import type { Endpoint } from '../../../docker/endpoint.ts';
import type { Mark } from '../../../docker/marks.ts';
import { makeReadOnly } from '../../../docker/mounted-paths.ts';
import { isEmpty, withoutUnknown } from '../../../docker/neutral.ts';
import { isReaper } from '../../../docker/testcontainers.ts';
import { visitCall } from '../../../docker/visit-call.ts';
import { BuildAddresses } from '../../../exchange/build-addresses.ts';
import type { Call } from '../../../exchange/call.ts';
import { refuse } from '../../../exchange/judge.ts';
import type { Change, Policy, PolicyContext, PolicyCreation, PolicyKind, Verdict } from '../../../exchange/policy.ts';
import { type IpNetwork, readIpNetwork } from '../../../ground/ip-network.ts';
import { isObject, type Json, placeOf } from '../../../ground/json.ts';
import { type JsonPath, valueAt, withValueAt } from '../../../ground/json-path.ts';
import type { Refusal } from '../../../ground/refusal.ts';
import { marksOfRequest } from '../endpoint-marks.ts';
import { Allowed, type AllowOption } from './allowed.ts';
import { Borrowed } from './borrowed.ts';
import { applyBounds, type BoundsOptions } from './bounds.ts';
import { judgeOfFetches, judgePushes } from './builds.ts';
import type { Changed } from './changed.ts';
import { type Bounds, ClosedList, type Walked } from './closed-list.ts';
import { decisionOn, isServed } from './decisions.ts';
import type { Finding } from './finding.ts';
import { type Options, options } from './options.ts';
import { Ports, placeOfPorts } from './ports.ts';
import { Registries } from './registries.ts';
import { objectionToSubnets } from './subnets.ts';
import { reaper, remedyForEndpoint, shown } from './words.ts';

const NAME = 'conservative';
const NO_CHANGES: readonly Change[] = [];

export const conservativeKind: PolicyKind<typeof options> = {
  name: NAME,
  options,
  create: (chosen, creation) => new Conservative(chosen, creation),
};

class Conservative implements Policy {
  readonly name = NAME;
  private readonly bounds: Bounds;
  private readonly limits: BoundsOptions;
  private readonly subnets: readonly IpNetwork[];
  private readonly borrowed: Borrowed;

  constructor(
    { allow, ports, registries, restarts, ulimits, subnets }: Options,
    { ownPorts, namespaced, buildAddresses }: Pick<PolicyCreation, 'ownPorts' | 'namespaced' | 'buildAddresses'>,
  ) {
    const { binds = [], ...places } = allow;
    this.bounds = {
      allowed: new Allowed(places as AllowOption, binds),
      ports: new Ports({ ...placeOfPorts(ports, namespaced), ownPorts }),
      registries: new Registries(registries ?? null),
      addresses: buildAddresses ?? new BuildAddresses([]),
    };
    this.limits = { restarts, ulimits };
    this.subnets =
      subnets?.map(({ address, prefix }) => readIpNetwork(`${address}/${prefix}`) as IpNetwork) ??
      namespaced?.subnets ??
      [];
    this.borrowed = new Borrowed(NAME, this.bounds);
  }

  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    const { endpoint, unknown } = call;
    const { served, weightless, hidesHost } = natureOf(endpoint);
    if (!served) throw refuseEndpoint(endpoint);
    if (unknown.length === 0 && weightless) return { call, rule: 'harmless', changes: NO_CHANGES, hidesHost };
    return this.judgeWords(this.withoutUnknown(call), context);
  }

  private async judgeWords(call: Call, context: PolicyContext): Promise<Verdict> {
    const steps: readonly ((call: Call) => Changed | Promise<Changed>)[] = [
      (before) => this.bounds.ports.name(before, context),
      (before) => this.bounds.ports.bind(before),
      (before) => applyBounds(before, this.limits),
      (before) => this.judgeEach(before, context),
      (before) => this.fillIn(before, context),
    ];
    const changes: Change[] = [];
    let judged = call;
    for (const step of steps) {
      const changed = await step(judged);
      judged = changed.call;
      changes.push(...changed.changes);
    }
    judgePushes(NAME, this.bounds, judged);
    const build = judgeOfFetches(NAME, this.bounds, judged);
    const rule = changes.length === 0 ? 'harmless' : 'bounded';
    const sources = opensBuild(call.endpoint) ? { sources: this.bounds.registries.sources } : {};
    return { call: judged, rule, changes, ...(build === null ? {} : { build }), ...sources };
  }

  /** What is left of what nobody knows says nothing, and is left out. @throws Refusal for what says something */
  private withoutUnknown(call: Call): Call {
    if (call.unknown.length === 0) return call;
    for (const { place, value } of call.unknown) {
      if (isEmpty(value)) continue;
      const message = `is not known here, and must not be ${shown(value)}`;
      throw refuse(NAME, 'unknown', message, { place, hint: 'what is not known may reach anything' });
    }
    const { shape } = call.endpoint.body;
    return { ...call, unknown: [], body: shape === undefined ? call.body : withoutUnknown(shape, call.body) };
  }

  private async judgeEach(call: Call, context: PolicyContext): Promise<Changed> {
    const list = new ClosedList(
      'asked',
      this.bounds,
      (place) => documentOf(call, place),
      (finding) => {
        // A namespace's images are its own, and so are those that it removes.
        if (finding.rule === 'shared' && call.namespace !== null && call.endpoint.id === 'ImagePrune') return;
        throw refusal(finding, call);
      },
    );
    visitCall(call, list.look);
    const objection = await objectionToSubnets(list.subnets, this.subnets, context);
    if (objection !== null) throw refusal(objection, call);
    const readOnly = mountReadOnly(call, list);
    const resolved = await this.borrowed.resolve(readOnly.call, list.borrowed, context);
    return { call: resolved.call, changes: [...readOnly.changes, ...resolved.changes] };
  }

  private async fillIn(call: Call, context: PolicyContext): Promise<Changed> {
    if (call.endpoint.id !== 'ContainerCreate' || !isObject(call.body)) return { call, changes: NO_CHANGES };
    const { oldCgroups } = await this.borrowed.engineDefaults(context);
    const { body, filled } = fillIn(call.body, { version: call.version, oldCgroups });
    const changes = filled.map(({ path, to }): Change => {
      return { rule: 'defaults', place: placeOf(path), from: valueAt(call.body, path), to, warning: null, given: null };
    });
    return { call: { ...call, body }, changes };
  }
}

/** What holds for every call of an endpoint. */
interface Nature {
  readonly served: boolean;
  /** No call can say anything that would have to be looked at. */
  readonly weightless: boolean;
  readonly hidesHost: boolean;
}

const natures = new WeakMap<Endpoint, Nature>();

function natureOf(endpoint: Endpoint): Nature {
  let nature = natures.get(endpoint);
  if (nature === undefined) {
    const { risk, marks = [] } = endpoint;
    const passes = (mark: Mark): boolean => decisionOn(mark).asked === 'pass';
    nature = {
      served: isServed(risk) && marks.every(passes),
      weightless: marksOfRequest(endpoint).every(passes),
      hidesHost: marks.some((mark) => mark.mark === 'reveals' && mark.about === 'host'),
    };
    natures.set(endpoint, nature);
  }
  return nature;
}

function refuseEndpoint({ id, risk, marks = [] }: Endpoint): Refusal {
  return refuse(NAME, `endpoint-${risk}`, `${id} is not served here`, { hint: remedyForEndpoint(risk, marks) });
}

function refusal({ rule, place, message, hint }: Finding, call: Call): Refusal {
  return refuse(NAME, rule, message, { place, hint: isReaper(call.body) ? reaper : hint });
}

/** What the path of a leaf leads through. */
function documentOf({ query, parameters, body }: Call, place: string): Json {
  const [, root, key = ''] = /^(query|path)\.([^.[]+)/.exec(place) ?? [];
  if (root === 'query') return (query[key] ?? null) as Json;
  return root === 'path' ? (parameters[key] ?? null) : body;
}

function mountReadOnly(call: Call, { toMakeReadOnly }: Walked): Changed {
  const changes: Change[] = [];
  let { body } = call;
  for (const source of toMakeReadOnly) {
    const { path, to } = makeReadOnly(body, source as JsonPath);
    const place = placeOf(path);
    changes.push({
      rule: 'read-only',
      place,
      from: valueAt(body, path),
      to,
      warning: `${place}: mounted read-only`,
      given: path,
    });
    body = withValueAt(body, path, to);
  }
  return { call: changes.length === 0 ? call : { ...call, body }, changes };
}
