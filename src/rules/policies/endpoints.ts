/** `endpoints`: which operations of the API may be called at all, whatever they say. */

import { z } from 'zod';
import type { Endpoint, Risk } from '../../docker/endpoint.ts';
import { printPath } from '../../docker/match.ts';
import { everyCall } from '../../docker/table.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Policy, PolicyKind, Verdict } from '../../exchange/policy.ts';
import { compileGlob, globFault } from '../../ground/glob.ts';
import { opensBySocketProxy, socketProxyVariables, type Variables } from './socket-proxy.ts';

const NAME = 'endpoints';

const risks: readonly Risk[] = ['ping', 'read', 'write', 'exec', 'build', 'transfer', 'cluster', 'tunnel', 'never'];
const ids = new Set(everyCall.map(({ id }) => id));
const pattern = /^(?:([A-Z]+) )?(\/.*)$/;

const selector = z.string().superRefine((text, ctx) => {
  if (ids.has(text) || (risks as readonly string[]).includes(text)) return;
  const path = pattern.exec(text)?.[2];
  const fault = path === undefined ? undefined : globFault(path);
  if (path !== undefined && fault === undefined) return;
  const what = 'must be the name of an endpoint (ContainerCreate), a class of risk (read), or METHOD /path/*';
  ctx.addIssue({ code: 'custom', message: fault === undefined ? what : `the pattern ${fault}` });
});

const presets = { 'read-only': ['ping', 'read'] } as const satisfies Record<string, readonly Risk[]>;

const options = z.strictObject({
  allow: z.array(selector).optional().meta({
    description: 'What may be called: names of endpoints, classes of risk, or `METHOD /path/*`. Absent: everything.',
  }),
  deny: z.array(selector).default([]).meta({ description: 'What may not, though it is allowed.' }),
  preset: z
    .enum(Object.keys(presets) as [keyof typeof presets])
    .optional()
    .meta({
      description: '`read-only`: what looks at objects and changes nothing. Opens beside `allow`.',
    }),
  socketProxy: z
    .partialRecord(
      z.enum(socketProxyVariables as [string, ...string[]]),
      z.union([z.string(), z.number(), z.boolean()]),
    )
    .optional()
    .meta({
      description:
        'The environment variables of docker-socket-proxy: `{CONTAINERS: 1, POST: 0}`. Opens beside `allow`.',
    }),
});

type Options = z.output<typeof options>;
type Selects = (call: Call) => boolean;

export const endpointsKind: PolicyKind<typeof options> = {
  name: NAME,
  options,
  create: (chosen) => new Endpoints(chosen),
};

class Endpoints implements Policy {
  readonly name = NAME;
  /** Null: everything is allowed. */
  private readonly allowed: readonly Selects[] | null;
  private readonly denied: readonly Selects[];

  constructor({ allow, deny, preset, socketProxy }: Options) {
    const allowed = (allow ?? []).map(selects);
    if (preset !== undefined) allowed.push(...presets[preset].map(selects));
    if (socketProxy !== undefined) allowed.push(onEndpoint(opensBySocketProxy(socketProxy as Variables)));
    this.allowed = allow === undefined && allowed.length === 0 ? null : allowed;
    this.denied = deny.map(selects);
  }

  judge(call: Call): Verdict {
    if (this.denied.some((matches) => matches(call))) throw refused(call, 'denied');
    if (this.allowed !== null && !this.allowed.some((matches) => matches(call))) throw refused(call, 'not-allowed');
    return { call, rule: 'allowed', changes: [] };
  }
}

function refused({ endpoint }: Call, rule: string) {
  const message = `${endpoint.method} ${endpoint.path} is not open here`;
  return refuse(NAME, rule, message, { hint: `the endpoint is called ${endpoint.id}` });
}

function selects(text: string): Selects {
  if (ids.has(text)) return onEndpoint(({ id }) => id === text);
  const found = pattern.exec(text);
  if (found === null) return onEndpoint(({ risk }) => risk === text);
  const [, method, path = ''] = found;
  const matches = compileGlob(path, { separator: '/' });
  return ({ endpoint, parameters }) =>
    (method === undefined || method === endpoint.method) && matches(printPath(endpoint, parameters));
}

/** Decided once for each endpoint. */
function onEndpoint(matches: (endpoint: Endpoint) => boolean): Selects {
  const matching = new Set(everyCall.filter(matches));
  return ({ endpoint }) => matching.has(endpoint);
}
