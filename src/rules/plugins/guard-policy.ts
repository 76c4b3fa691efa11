/** A plugin's policy behind a guard: what throws, hangs or answers nonsense refuses the call, and nothing else. */

import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Policy, PolicyContext, PolicyCreation, PolicyLog, Verdict } from '../../exchange/policy.ts';
import { Refusal } from '../../ground/refusal.ts';
import { Overdue, within } from './deadline.ts';
import type { PolicyPlugin, ReadOptions } from './plugin.ts';
import { Nonsense, readVerdict } from './read-verdict.ts';
import { toolsFor } from './tools.ts';

/** For what is not within a call. */
const LIFE_MS = 30_000;
/** Rules are labels of metrics: a plugin must not make them without end. */
const MOST_RULES = 100;

export function guardPolicy(
  plugin: PolicyPlugin,
  creation: PolicyCreation,
  { options, deadlineMs }: ReadOptions,
): Policy {
  const { name } = plugin;
  const { listener, resolve, log } = creation;
  const made = plugin.create(options, Object.freeze({ listener, resolve, log, ...toolsFor(name) }));
  if (typeof made?.judge !== 'function') throw new Error(`the plugin ${name} has made no policy: it has no \`judge\``);
  return new GuardedPolicy(name, made, log, deadlineMs);
}

class GuardedPolicy implements Policy {
  readonly name: string;
  private readonly plugin: Omit<Policy, 'name'>;
  private readonly log: PolicyLog;
  private readonly deadlineMs: number;
  private readonly rules = new Set<string>();

  constructor(name: string, plugin: Omit<Policy, 'name'>, log: PolicyLog, deadlineMs: number) {
    this.name = name;
    this.plugin = plugin;
    this.log = log;
    this.deadlineMs = deadlineMs;
  }

  async judge(call: Call, context: PolicyContext): Promise<Verdict> {
    let answer: unknown;
    try {
      answer = await within(this.deadlineMs, () => this.plugin.judge(freeze(call), context));
    } catch (fault) {
      if (fault instanceof Refusal) throw this.counted(fault);
      const [rule, what] =
        fault instanceof Overdue ? ['plugin-hangs', 'did not answer in time'] : ['plugin-throws', 'failed'];
      throw this.failed(rule, what, fault);
    }
    try {
      const verdict = readVerdict(call, answer);
      const { onEnd } = verdict;
      const rule = this.known(verdict.rule);
      return onEnd === undefined
        ? { ...verdict, rule }
        : { ...verdict, rule, onEnd: (status) => this.end(onEnd, status) };
    } catch (fault) {
      if (fault instanceof Nonsense) throw this.failed('plugin-nonsense', `answered nonsense: ${fault.message}`, fault);
      throw this.failed('plugin-nonsense', 'answered nonsense', fault);
    }
  }

  async start(): Promise<void> {
    try {
      await within(LIFE_MS, () => this.plugin.start?.());
    } catch (fault) {
      throw new Error(`the policy ${this.name} does not start: ${messageOf(fault)}`, { cause: fault });
    }
  }

  async stop(): Promise<void> {
    try {
      await within(LIFE_MS, () => this.plugin.stop?.());
    } catch (fault) {
      this.log.warn({ policy: this.name, reason: messageOf(fault) }, 'a plugin does not stop');
    }
  }

  private end(onEnd: (status: number) => unknown, status: number): void {
    const failed = (fault: unknown): void =>
      this.log.warn({ policy: this.name, reason: messageOf(fault) }, 'a plugin failed at the end of a call');
    try {
      // It may be an async function, whatever its type says.
      Promise.resolve(onEnd(status)).catch(failed);
    } catch (fault) {
      failed(fault);
    }
  }

  /** A refusal of the plugin as one of this policy, whatever it says of itself. */
  private counted(fault: Refusal): Refusal {
    const { code, message, place, hint, rule } = fault;
    const allowed = code === 'over-limit' || code === 'too-many-at-once' ? code : 'refused';
    const facts = { ...(place === undefined ? {} : { place }), ...(hint === undefined ? {} : { hint }) };
    return refuse(this.name, this.known(rule ?? 'refused'), message, facts, allowed);
  }

  private failed(rule: string, what: string, fault: unknown): Refusal {
    this.log.warn({ policy: this.name, rule, reason: messageOf(fault) }, 'a plugin failed');
    return refuse(this.name, rule, `the plugin ${what}`, { cause: fault, hint: 'the log of Berthgate says more' });
  }

  private known(rule: string): string {
    if (this.rules.has(rule)) return rule;
    if (this.rules.size >= MOST_RULES || !/^[a-z0-9][a-z0-9-]{0,63}$/.test(rule)) return 'other';
    this.rules.add(rule);
    return rule;
  }
}

/** What a plugin changes is what it gives back: the call that others hold stays as it is. */
function freeze<T>(value: T): T {
  if (typeof value === 'object' && value !== null && !Object.isFrozen(value)) {
    Object.freeze(value);
    for (const inner of Object.values(value)) freeze(inner);
  }
  return value;
}

function messageOf(fault: unknown): string {
  return fault instanceof Error ? fault.message : String(fault);
}
