/** What judges a call: rules of a listener that may refuse it, or change what it says. */

import type { z } from 'zod';
import type { SourceRule } from '../docker/source-policy.ts';
import type { IpNetwork } from '../ground/ip-network.ts';
import type { Json } from '../ground/json.ts';
import type { BuildAddresses } from './build-addresses.ts';
import type { BuildJudge } from './build-judge.ts';
import type { Call } from './call.ts';
import type { EngineDesk } from './engine-desk.ts';
import type { LoadJudge } from './load-judge.ts';

/** One thing that a policy changed. */
export interface Change {
  readonly rule: string;
  /** `HostConfig.RestartPolicy.Name`; `query.…` and `header …` for the other parts of a call. */
  readonly place: string;
  readonly from: Json;
  readonly to: Json;
  /** Told to the client among the warnings of the answer, where it has such; null = silently. */
  readonly warning: string | null;
  /** Where the client goes on seeing `from` when it looks at what it made: the path in the body; null = it sees `to`. */
  readonly given: readonly (string | number)[] | null;
}

/** From where a build may take what it is made of; the engine itself holds to it. */
export interface BuildSources {
  /** Images alone, what the client brings and what is `fetched`, and no frontend but the engine's own. */
  readonly closed?: true;
  /** What may be fetched all the same. */
  readonly fetched?: readonly SourceRule[];
  /** Regular expressions (RE2) for whole references, `docker.io/library/debian:12`; absent: every image. */
  readonly allowed?: readonly string[];
  readonly denied?: readonly string[];
}

/** What a policy found: the rule that lets the call pass, and the call as it shall go on. */
export interface Verdict {
  readonly call: Call;
  readonly rule: string;
  readonly changes: readonly Change[];
  /** What would have been refused, had the policy been enforced (mode `warn`). */
  readonly wouldRefuse?: string;
  /** Labels of ours (`berthgate.…`) that what the call makes shall carry, beside those that every create gets. */
  readonly labels?: Readonly<Record<string, string>>;
  /** Of a build by BuildKit: what its Dockerfile may take, which nobody has read yet. */
  readonly sources?: BuildSources;
  /** The client is not told what the answer tells about the host of the engine. */
  readonly hidesHost?: boolean;
  /** Judges what a build takes from elsewhere, before the engine has its Dockerfile. */
  readonly build?: BuildJudge;
  /** Judges what a load brings, in namespaces alone: elsewhere nobody reads it. */
  readonly load?: LoadJudge;
  /**
   * Told what the engine answered before the client is, which waits for it. What it throws ends the call: the client is
   * told that, and not the answer.
   */
  readonly onAnswer?: (answer: Json, status: number) => Promise<void>;
  /** What the client is told in place of a good answer. */
  readonly show?: (answer: Json) => Json;
  /** The engine is heard to the end of the call also where its client has gone: it would go on with it all the same. */
  readonly finishes?: boolean;
  /** Told once when the call has ended, with the status that the client got; 0 for none. */
  readonly onEnd?: (status: number) => void;
}

/** What a policy may ask while it judges. */
export interface PolicyContext {
  /**
   * What the engine says of an object by a GET endpoint of the table, e.g. `ContainerInspect` with `{id}`; null when there
   * is none. @throws Refusal when the engine does not answer
   */
  lookUp(endpointId: string, parameters: Readonly<Record<string, string>>): Promise<Json>;
}

/** Life: options checked by the kind's schema → created without side effects → started → used → stopped. */
export interface Policy {
  readonly name: string;
  /** @throws Refusal `refused`, made by `refuse()` */
  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict>;
  /** Begins what goes on beside the calls. @throws Error whose message says what an administrator can mend */
  start?(): Promise<void>;
  /** Calls that were judged before may still end afterwards. */
  stop?(): Promise<void>;
}

/** Where the things of namespaces go, whatever a client says. */
export interface NamespacedListener {
  /** An address of the host, or `gateway`: the bridge of each container. */
  readonly ports: { readonly address: string; readonly range: { readonly first: number; readonly last: number } };
  /** What a client may ask for; null where only policies say. */
  readonly subnets: readonly IpNetwork[] | null;
  /** How all names that the engine has for images of a namespace begin; null where it has none. */
  readonly images: ((namespace: string) => string) | null;
}

/** What a policy is made with, beside its options. */
export interface PolicyCreation {
  /** The name of the listener. */
  readonly listener: string;
  readonly engine: EngineDesk;
  /** Ports of the host that are Berthgate's own: no container may take them, also while Berthgate is down. */
  readonly ownPorts: readonly number[];
  /** What the listener says of ports and networks of its namespaces; null for the engine as it is. */
  readonly namespaced: NamespacedListener | null;
  /** What the listener lets builds fetch; absent where only the policies say. */
  readonly buildAddresses?: BuildAddresses;
  /** The absolute path of a file that the configuration names. */
  readonly resolve: (file: string) => string;
  readonly log: PolicyLog;
}

/** A part of pino's logger. */
export interface PolicyLog {
  info(facts: object, message: string): void;
  warn(facts: object, message: string): void;
}

/** What a configuration names in `policies`: `NAME`, or `{use: NAME, ...options}`. */
export interface PolicyKind<Schema extends z.ZodType = z.ZodType> {
  readonly name: string;
  /** Strict. Its faults are located in the configuration by their path. The option `mode` is not its own. */
  readonly options: Schema;
  /** @throws Error for options that this listener cannot honour */
  create(options: z.output<Schema>, creation: PolicyCreation): Policy;
}
