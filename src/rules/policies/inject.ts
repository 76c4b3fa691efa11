/** What a site says for its users: as a default, which the client's own word overrides, or by force. */

import { z } from 'zod';
import { type CallPath, printPlace, valueAt, withValueAt } from '../../docker/call-place.ts';
import { isReserved } from '../../docker/reserved-labels.ts';
import {
  entriesOf,
  isUnsaid,
  moveEndpoint,
  placeOfOverride,
  placeOfSetting,
  type Setting,
  subjectOf,
} from '../../docker/settings.ts';
import type { Call } from '../../exchange/call.ts';
import type { Change, Policy, PolicyKind, Verdict } from '../../exchange/policy.ts';
import { isObject, type Json, type JsonObject, printJson } from '../../ground/json.ts';

const text = z.string().min(1);
const labels = z.record(text, z.string()).refine((map) => !Object.keys(map).some(isReserved), {
  message: 'labels that begin with berthgate. are set by Berthgate itself',
});

const settings = z.strictObject({
  labels: labels.optional().meta({ description: 'Of containers, volumes, networks and built images.' }),
  env: z
    .record(z.string().regex(/^[^=\0]+$/), z.string())
    .optional()
    .meta({ description: 'Environment variables.' }),
  extraHosts: z
    .record(z.string().regex(/^[^:=\s]+$/), text)
    .optional()
    .meta({ description: 'NAME: ADDRESS.' }),
  dns: z.array(text).min(1).optional().meta({ description: 'The addresses of name servers.' }),
  dnsSearch: z.array(text).min(1).optional().meta({ description: 'The domains that names are looked up in.' }),
  dnsOptions: z.array(text).min(1).optional().meta({ description: 'Options of the resolver, as `ndots:2`.' }),
  runtime: text.optional().meta({ description: "A runtime of the engine, as gVisor's `runsc`." }),
  cgroupParent: text.optional().meta({ description: 'The cgroup that containers and builds run below.' }),
  network: text.optional().meta({ description: 'The network of containers that ask for none.' }),
  log: z
    .strictObject({ driver: text, options: z.record(text, z.string()).default({}) })
    .optional()
    .meta({ description: 'The log driver with its options.' }),
  securityOptions: z.array(text).min(1).optional().meta({ description: 'As `no-new-privileges`.' }),
  user: text.optional().meta({ description: 'Who the programs run as: `UID[:GID]`. By force also for `docker exec`.' }),
});

const options = z.strictObject({
  default: settings.default({}).meta({ description: 'Where the client says nothing of it.' }),
  force: settings.default({}).meta({ description: 'Whatever the client says.' }),
});

type Settings = z.output<typeof settings>;
type Options = z.output<typeof options>;

export const injectKind: PolicyKind<typeof options> = {
  name: 'inject',
  options,
  create: (chosen) => new InjectPolicy(chosen),
};

/** One thing to be said, as the API writes it. */
interface Injection {
  readonly setting: Setting;
  readonly value: Json;
  readonly forced: boolean;
}

class InjectPolicy implements Policy {
  readonly name = 'inject';
  private readonly injections: readonly Injection[];

  constructor(chosen: Options) {
    // What is forced comes last: a default for the same thing has been overridden then.
    this.injections = [...injectionsOf(chosen.default, false), ...injectionsOf(chosen.force, true)];
  }

  judge(call: Call): Verdict {
    const changes: Change[] = [];
    let injected = call;
    for (const injection of this.injections) {
      const path = placeFor(call.endpoint.id, injection);
      if (path === null) continue;
      const from = valueAt(injected, path) ?? null;
      const to = merged(injection, from);
      if (printJson(from) === printJson(to)) continue;
      if (injection.setting === 'network') injected = moved(injected, from, to as string, injection.forced);
      injected = withValueAt(injected, path, to);
      const rule = `${injection.forced ? 'force' : 'default'}-${injection.setting}`;
      changes.push({ rule, place: printPlace(path), from, to, warning: null, given: null });
    }
    return { call: injected, rule: changes.length === 0 ? 'nothing-to-say' : 'injected', changes };
  }
}

function placeFor(endpointId: string, { setting, forced }: Injection): CallPath | null {
  return placeOfSetting(endpointId, setting) ?? (forced ? placeOfOverride(endpointId, setting) : null);
}

function injectionsOf(chosen: Settings, forced: boolean): readonly Injection[] {
  const { labels, env, extraHosts, dns, dnsSearch, dnsOptions, runtime, cgroupParent, network, log, user } = chosen;
  const said: Partial<Record<Setting, Json | undefined>> = {
    labels,
    env: env && Object.entries(env).map(([name, value]) => `${name}=${value}`),
    'extra-hosts': extraHosts && Object.entries(extraHosts).map(([name, address]) => `${name}:${address}`),
    dns,
    'dns-search': dnsSearch,
    'dns-options': dnsOptions,
    runtime,
    'cgroup-parent': cgroupParent,
    network,
    log: log && { Type: log.driver, Config: log.options },
    'security-options': chosen.securityOptions,
    user,
  };
  return Object.entries(said).flatMap(([setting, value]) =>
    value === undefined ? [] : [{ setting: setting as Setting, value, forced }],
  );
}

/** Lists that are taken as a whole: half of a resolver's servers is another resolver. */
const whole: ReadonlySet<Setting> = new Set(['dns', 'dns-search', 'dns-options', 'log']);

function merged({ setting, value, forced }: Injection, from: Json): Json {
  if (typeof value === 'string') return forced || isUnsaid(setting, from) ? value : from;
  if (whole.has(setting)) return forced || isUnsaid(setting, from) ? value : from;
  if (setting === 'labels') return mergedMaps(value as JsonObject, isObject(from) ? from : {}, forced);
  return mergedLists(setting, value as readonly string[], entriesOf(from), forced);
}

function mergedMaps(ours: JsonObject, theirs: JsonObject, forced: boolean): Json {
  return Object.assign(Object.create(null), ...(forced ? [theirs, ours] : [ours, theirs])) as JsonObject;
}

function mergedLists(setting: Setting, ours: readonly string[], theirs: readonly string[], forced: boolean): Json {
  const subject = (entry: string): string => subjectOf(setting, entry);
  const kept = forced ? theirs.filter((entry) => !ours.some((one) => subject(one) === subject(entry))) : theirs;
  const added = forced ? ours : ours.filter((one) => !theirs.some((entry) => subject(one) === subject(entry)));
  // The last of two security options counts, and the first of two hosts.
  return setting === 'extra-hosts' ? [...added, ...kept] : [...kept, ...added];
}

function moved(call: Call, from: Json, to: string, forced: boolean): Call {
  return isObject(call.body) ? { ...call, body: moveEndpoint(call.body, from, to, forced) } : call;
}
