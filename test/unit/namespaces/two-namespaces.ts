// An engine with the same things for two namespaces, as far as a namespace asks it.
import { EngineNames } from '../../../src/cache/registry/index.ts';
import { table } from '../../../src/docker/table.ts';
import { BuildAddresses } from '../../../src/exchange/build-addresses.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { type EngineDesk, emptyDesk } from '../../../src/exchange/engine-desk.ts';
import type { Identity } from '../../../src/exchange/identity.ts';
import type { Namespace } from '../../../src/exchange/namespacing.ts';
import { type IpNetwork, readIpNetwork } from '../../../src/ground/ip-network.ts';
import { type Json, readJsonText } from '../../../src/ground/json.ts';
import { engineSide, type ImageGateway, Namespaces } from '../../../src/rules/namespaces/index.ts';

const digits: Readonly<Record<string, string>> = { nsa: 'a', nsb: 'b' };

/** The id of the one container, or network, that a namespace has. */
export function idOf(namespace: string, kind: 'container' | 'network'): string {
  return `${kind === 'container' ? 'c' : 'd'}${(digits[namespace] as string).repeat(63)}`;
}

/** The id of the one command that a namespace has. */
export function execOf(namespace: string): string {
  return `a${(digits[namespace] as string).repeat(63)}`;
}

export interface Asked {
  readonly endpoint: string;
  readonly said: string;
}

export interface TwoNamespaces {
  of(namespace: string): Namespace;
  readonly asked: Asked[];
}

const identity: Identity = { user: 'somebody', groups: [], claims: {}, by: 'test' };
const calling = { identity } as Call;
const labels = (namespace: string) => ({ 'berthgate.namespace': namespace });

export function twoNamespaces(): TwoNamespaces {
  const asked: Asked[] = [];
  const both = ['nsa', 'nsb'];
  const lists: Readonly<Record<string, unknown>> = {
    ContainerList: both.map((one) => ({ Id: idOf(one, 'container'), Names: [`/${one}.web`], Labels: labels(one) })),
    NetworkList: both.flatMap((one) => [
      { Id: idOf(one, 'network'), Name: `${one}.net`, Labels: labels(one) },
      { Id: `e${idOf(one, 'network').slice(1)}`, Name: `${one}.bridge`, Labels: labels(one) },
    ]),
    VolumeList: { Volumes: both.map((one) => ({ Name: `${one}.data`, Labels: labels(one) })) },
    ImageInspect: { Id: 'sha256:1', Config: {} },
  };
  const answer = (endpoint: string, query: unknown, parameters: Readonly<Record<string, string>> = {}): Json => {
    asked.push({ endpoint, said: JSON.stringify(query ?? {}) });
    if (endpoint === 'ExecInspect') {
      const owner = both.find((one) => parameters.id === execOf(one));
      return owner === undefined ? null : readJsonText(JSON.stringify({ ContainerID: idOf(owner, 'container') }), 8);
    }
    return readJsonText(JSON.stringify(labelled(lists[endpoint] ?? null, query)), 64);
  };
  const desk: EngineDesk = {
    ...emptyDesk('engine'),
    ask: async (id, question) => answer(id, question?.query, question?.parameters),
    order: async (endpoint, order) => {
      asked.push({ endpoint, said: JSON.stringify(order ?? {}) });
      const name = (order?.body as { Name?: string } | undefined)?.Name ?? '';
      const made = { Name: name, Id: 'f'.repeat(64), Labels: (order?.body as { Labels?: Json })?.Labels ?? {} };
      return { status: 201, answer: readJsonText(JSON.stringify(made), 64) };
    },
  };
  const side = engineSide(desk, { id: 'test', alone: true, onEnded: () => {} });
  const settings = {
    builds: {
      cacheScopeOf: (_: Identity, namespace: string) => namespace,
      keepsSteps: true,
      addresses: new BuildAddresses([]),
    },
    images: { gateway: gateway(), shared: ['*'] },
    ports: { address: '127.0.0.1', range: { first: 1024, last: 65_535 } },
    networks: {
      pools: [readIpNetwork('10.128.0.0/9') as IpNetwork],
      size: 26,
      allowed: null,
      shared: [],
      routes: async () => [],
    },
  };
  const known = new Map(both.map((one) => [one, new Namespaces(one, 'people', side, settings).of(calling)]));
  return { asked, of: (namespace) => known.get(namespace) as Namespace };
}

/** As an engine lists by label: those that have it. */
function labelled(list: unknown, query: unknown): unknown {
  const wanted = /berthgate\.namespace=(nsa|nsb)/.exec(JSON.stringify(query ?? {}))?.[1];
  if (wanted === undefined) return list;
  const has = (item: unknown): boolean => JSON.stringify(item).includes(`"berthgate.namespace":"${wanted}"`);
  if (Array.isArray(list)) return list.filter(has);
  const { Volumes: volumes } = (list ?? {}) as { readonly Volumes?: readonly unknown[] };
  return volumes === undefined ? list : { Volumes: volumes.filter(has) };
}

/** One that knows names, and keeps none that is long. */
function gateway(): ImageGateway {
  const never = (): never => {
    throw new Error('no name is long here');
  };
  const addresses = { names: '127.0.0.1:5350', builds: '127.0.0.2:5350' };
  return {
    isServed: true,
    names: new EngineNames(addresses, { keep: never, recall: never }),
    scopeOf: () => 'scope',
    isAllowed: () => true,
    checkLogin: async () => ({ status: 200, identity: '' }),
    issue: () => ({ capability: 'c', registryAuth: {}, registryConfig: {}, end: () => {} }),
  };
}

const leastNames: Readonly<Record<string, string>> = { network: 'net', volume: 'data', exec: execOf('nsa') };

/** The least that each endpoint must be told. */
export function callOf(endpointId: string, parts: Partial<Pick<Call, 'parameters' | 'query' | 'body'>>): Call {
  const endpoint = table.find(({ id }) => id === endpointId);
  if (endpoint === undefined) throw new Error(`no endpoint ${endpointId}`);
  const uses = Object.entries(endpoint.parameters).map(([name, shape]) => {
    const kind = shape.marks.find((mark) => mark.mark === 'uses')?.kind;
    return [name, leastNames[kind ?? ''] ?? 'web'];
  });
  const body = endpoint.body.travel === 'json' ? {} : null;
  return {
    listener: 'people',
    identity,
    namespace: null,
    endpoint,
    version: 51,
    headers: {},
    unknown: [],
    parameters: { ...Object.fromEntries(uses), ...parts.parameters },
    query: parts.query ?? {},
    body: parts.body ?? body,
  };
}
