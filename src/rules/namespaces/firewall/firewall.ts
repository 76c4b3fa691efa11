/**
 * Keeps the table of the host true to what the engines on it have. The table outlives the process: until the next one has
 * brought it up to date, it holds for what was there.
 */

import { applyScript, linksHere, listTable } from '../../../engines/nft.ts';
import { refuse } from '../../../exchange/judge.ts';
import { RULE } from '../references.ts';
import type { EngineTraffic } from './engine-traffic.ts';
import { changeScript, type Openings, readList, TABLE, tableScript } from './table.ts';
import { type Elements, elementsOf, isLinkName, linkOf, noElements, setNames } from './traffic.ts';

/** How soon rules that somebody took away are seen, and elements. */
const LOOK_MS = 2000;
const LOOKS_TO_ALL = 5;
const LOOKS_AFTER_FAULT = 5;

export interface FirewallOptions {
  readonly openings: () => Promise<Openings>;
  /** Those on this host. */
  readonly engines: readonly EngineTraffic[];
  readonly heldNames: readonly string[];
  /** No network is made where the table is missing. */
  readonly required: boolean;
  onPutBack(what: string): void;
  /** What is missing, in words; nothing where all is in place. Told when it has changed. */
  onTurn(missing: readonly string[]): void;
}

export class Firewall {
  private readonly options: FirewallOptions;
  private readonly tool: PacketFilter;
  /** What the kernel has, by our own doing. Null before we know. */
  private there: Elements | null = null;
  private others: Elements = noElements();
  private rules: string | null = null;
  private script = '';
  private turn: Promise<unknown> = Promise.resolve();
  private next: Promise<void> | null = null;
  private timer: NodeJS.Timeout | null = null;
  private looks = 0;
  private fault: string | null = null;
  private told: string | null = null;

  constructor(options: FirewallOptions, tool: PacketFilter = { applyScript, linksHere, listTable }) {
    this.options = options;
    this.tool = tool;
  }

  start(): void {
    const { engines, heldNames } = this.options;
    const hearer = { heldNames, onChange: () => this.change(), beforeNetwork: () => this.beforeNetwork() };
    for (const engine of engines) engine.start(hearer);
    this.timer = setInterval(() => void this.look(), LOOK_MS).unref();
  }

  /** The table stays. */
  end(): void {
    for (const engine of this.options.engines) engine.end();
    if (this.timer !== null) clearInterval(this.timer);
  }

  /** Why not all is in place that should be. */
  async missing(): Promise<readonly string[]> {
    const reasons = this.fault === null ? [] : [this.fault];
    if (this.there === null && this.fault === null && this.options.engines.length > 0) reasons.push('not applied yet');
    const links = await this.tool.linksHere();
    for (const { name, traffic } of this.options.engines) {
      if (traffic === null) reasons.push(`engine ${name}: has not told yet what it has`);
      const { bridges = [] } = traffic ?? {};
      // An engine in a container, a virtual machine or a network namespace of its own.
      if (bridges.length > 0 && !bridges.some(({ link }) => links.has(link))) {
        reasons.push(`engine ${name}: its bridges are not in the network that Berthgate runs in`);
      }
      for (const { link, held } of bridges) {
        if (held && !isLinkName(link))
          reasons.push(`engine ${name}: no table can hold the bridge ${JSON.stringify(link)}`);
      }
    }
    return reasons;
  }

  /** Resolves when the table is as it should be by what is known now, or cannot be: `missing` tells. */
  change(): Promise<void> {
    this.next ??= this.enqueue(() => {
      this.next = null;
      return this.there === null ? this.putAll() : this.putChange(this.there);
    });
    return this.next;
  }

  private beforeNetwork(): void {
    if (!this.options.required || (this.there !== null && this.told === '')) return;
    throw refuse(RULE, 'firewall', 'the firewall that keeps namespaces apart is missing', {
      hint: 'an administrator finds the reason in /readyz and in the log',
    });
  }

  private enqueue(work: () => Promise<void>): Promise<void> {
    const turn = this.turn.then(async () => {
      try {
        await work();
        this.fault = null;
      } catch (fault) {
        // What is there is not known any more.
        this.there = null;
        this.fault = (fault as Error).message;
      }
      await this.tell();
    });
    this.turn = turn;
    return turn;
  }

  private async putChange(there: Elements): Promise<void> {
    const own = this.wanted();
    this.others = without(this.others, own.bridges);
    const wanted = union(own, this.others);
    const script = changeScript(there, wanted);
    if (script !== '') await this.tool.applyScript(script);
    this.there = wanted;
  }

  /** From what the kernel really has. What belongs to the engines of others on this host stays. */
  private async putAll(): Promise<void> {
    const script = tableScript(await this.options.openings());
    const text = await this.tool.listTable(TABLE, true);
    const listed = text === null ? null : readList(text);
    const wanted = this.wanted();
    this.others = await this.ofOthers(listed?.elements ?? noElements(), wanted.bridges);
    const all = union(wanted, this.others);
    const same = listed !== null && listed.rules === this.rules && script === this.script;
    const changes = changeScript(listed?.elements ?? noElements(), all);
    if (!same || changes !== '') await this.tool.applyScript(`${same ? '' : script}${changes}`);
    if (!same) await this.remember(script);
    if (this.there !== null && (!same || changes !== '')) this.options.onPutBack(same ? 'elements' : 'the table');
    this.there = all;
  }

  /** How the kernel writes our rules, to see when they are others. */
  private async remember(script: string): Promise<void> {
    const text = await this.tool.listTable(TABLE, false);
    this.rules = text === null ? null : readList(text).rules;
    this.script = script;
  }

  private async look(): Promise<void> {
    const looks = this.looks++;
    if (this.next !== null || (this.fault !== null && looks % LOOKS_AFTER_FAULT !== 0)) return;
    // Before an engine has told what it has, the table of the process before us is the best there is.
    if (this.there === null && this.options.engines.every(({ traffic }) => traffic === null)) return this.tell();
    const whole = looks % LOOKS_TO_ALL === 0;
    this.next = this.enqueue(async () => {
      this.next = null;
      if (this.there !== null && !whole && (await this.rulesHold())) return;
      await this.putAll();
    });
    await this.next;
  }

  private async rulesHold(): Promise<boolean> {
    if (tableScript(await this.options.openings()) !== this.script) return false;
    const text = await this.tool.listTable(TABLE, false);
    return text !== null && readList(text).rules === this.rules;
  }

  private wanted(): Elements {
    return elementsOf(this.options.engines.flatMap(({ traffic }) => traffic ?? []));
  }

  /** Elements of bridges that are there and that none of our engines has. */
  private async ofOthers(listed: Elements, known: ReadonlySet<string>): Promise<Elements> {
    const links = await this.tool.linksHere();
    return those(listed, (link) => !known.has(link) && links.has(link));
  }

  private async tell(): Promise<void> {
    const missing = await this.missing();
    const told = missing.join('\n');
    if (told === this.told) return;
    this.told = told;
    this.options.onTurn(missing);
  }
}

/** nft, or what tests put in its place. */
export interface PacketFilter {
  applyScript(script: string): Promise<void>;
  listTable(table: string, withElements: boolean): Promise<string | null>;
  linksHere(): Promise<ReadonlySet<string>>;
}

function without(elements: Elements, known: ReadonlySet<string>): Elements {
  return those(elements, (link) => !known.has(link));
}

function those(elements: Elements, keep: (link: string) => boolean): Elements {
  const kept = noElements();
  for (const name of setNames) {
    for (const element of elements[name]) if (keep(linkOf(element))) kept[name].add(element);
  }
  return kept;
}

function union(one: Elements, other: Elements): Elements {
  const all = noElements();
  for (const name of setNames) for (const element of [...one[name], ...other[name]]) all[name].add(element);
  return all;
}
