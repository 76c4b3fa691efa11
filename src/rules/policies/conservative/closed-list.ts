/** Goes over what is said by the marks of the table, and finds what is not on the list of harmless things. */

import type { Mark } from '../../../docker/marks.ts';
import { engineSocketPath, holdsReadOnly } from '../../../docker/mounted-paths.ts';
import { isNeutral } from '../../../docker/neutral.ts';
import type { Leaf } from '../../../docker/visit.ts';
import type { BuildAddresses } from '../../../exchange/build-addresses.ts';
import type { Json } from '../../../ground/json.ts';
import type { JsonPath } from '../../../ground/json-path.ts';
import type { Allowed } from './allowed.ts';
import { decisionOn, type Treatment } from './decisions.ts';
import type { Finding } from './finding.ts';
import type { Ports } from './ports.ts';
import type { Registries } from './registries.ts';
import { demandOn, engineSocket, remedyFor } from './words.ts';

/** The options of the policy that decide single values. */
export interface Bounds {
  readonly allowed: Allowed;
  readonly ports: Ports;
  readonly registries: Registries;
  /** What the listener lets builds fetch. */
  readonly addresses: BuildAddresses;
}

/** What one walk found that is to be looked into behind it. */
export interface Walked {
  /** References to what lends its rights. */
  readonly borrowed: readonly Leaf[];
  readonly subnets: readonly Leaf[];
  /** Mounts that are allowed read-only and were asked for otherwise. */
  readonly toMakeReadOnly: readonly JsonPath[];
}

export type Side = 'asked' | 'lent';

export class ClosedList implements Walked {
  readonly borrowed: Leaf[] = [];
  readonly subnets: Leaf[] = [];
  readonly toMakeReadOnly: JsonPath[] = [];
  private readonly side: Side;
  private readonly bounds: Bounds;
  private readonly documentAt: (place: string) => Json;
  private readonly found: (finding: Finding) => void;
  /** What passed as a whole: nothing in it is looked at by itself. */
  private passed: string | null = null;

  /** `documentAt` gives what the paths of the leaves at a place lead through. */
  constructor(side: Side, bounds: Bounds, documentAt: (place: string) => Json, found: (finding: Finding) => void) {
    this.side = side;
    this.bounds = bounds;
    this.documentAt = documentAt;
    this.found = found;
  }

  /** A visitor that changes nothing. */
  readonly look = (leaf: Leaf): Json => {
    if (!this.isWithinPassed(leaf.place)) this.judge(leaf);
    return leaf.value;
  };

  private isWithinPassed(place: string): boolean {
    const { passed } = this;
    return (
      passed !== null && place.startsWith(passed) && (place[passed.length] === '.' || place[passed.length] === '[')
    );
  }

  private judge(leaf: Leaf): void {
    if (leaf.marks.every((mark) => decisionOn(mark)[this.side] === 'pass')) return;
    if (isNeutral(leaf.shape, leaf.value)) {
      this.passed = leaf.place;
      return;
    }
    for (const mark of leaf.marks) {
      const finding = this.judgeBy(decisionOn(mark)[this.side], mark, leaf);
      if (finding === null) continue;
      if (this.bounds.allowed.permits(leaf, this.documentAt(leaf.place))) {
        this.passed = leaf.place;
        continue;
      }
      this.found(finding);
    }
  }

  private judgeBy(treatment: Treatment, mark: Mark, leaf: Leaf): Finding | null {
    switch (treatment) {
      case 'pass':
        return null;
      case 'borrow':
        this.borrowed.push(leaf);
        return null;
      case 'borrowed':
        return leaf.marks.some((other) => other.mark === 'borrows') ? null : this.refusal(mark, leaf);
      case 'subnet':
        this.subnets.push(leaf);
        return null;
      case 'bound':
        return overBound(mark, leaf);
      case 'mount':
        return this.mount(mark, leaf);
      case 'publish':
        return this.bounds.ports.objectionTo(mark, leaf);
      case 'registry':
        return this.bounds.registries.permits(mark, leaf) || this.isFetchedByBuild(leaf)
          ? null
          : this.refusal(mark, leaf);
      default:
        return this.refusal(mark, leaf);
    }
  }

  /** By BuildKit, which holds to it: the files of a classic build at an address would be read by nobody. */
  private isFetchedByBuild({ place, value }: Leaf): boolean {
    return (
      typeof value === 'string' && /^Frontend(?:Attrs|Opt)[.[]/.test(place) && this.bounds.addresses.permits(value)
    );
  }

  private mount(mark: Mark, leaf: Leaf): Finding | null {
    if (mark.mark !== 'host-path' || mark.mounted !== true) return this.refusal(mark, leaf);
    const source = String(leaf.value);
    const bind = this.bounds.allowed.bindFor(source);
    if (bind === undefined) {
      const finding = this.refusal(mark, leaf);
      return engineSocketPath(source) ? { ...finding, hint: engineSocket } : finding;
    }
    const readOnly = mark.access === 'read' || holdsReadOnly(this.documentAt(leaf.place), leaf.path);
    if (!bind.readOnly || readOnly) return null;
    if (this.side === 'lent') return this.refusal(mark, leaf);
    this.toMakeReadOnly.push(leaf.path);
    return null;
  }

  private refusal(mark: Mark, leaf: Leaf): Finding {
    const rule = mark.mark === 'privilege' ? mark.reach : mark.mark;
    return { rule, place: leaf.place, message: demandOn(leaf), hint: remedyFor(mark) };
  }
}

/** What can be bounded was before; these have no bound that would leave a sense. */
function overBound(mark: Mark, { value, place }: Leaf): Finding | null {
  if (mark.mark !== 'resource' || mark.unit !== 'oom-score') return null;
  if (typeof value === 'number' && value >= 0) return null;
  return {
    rule: 'oom-score',
    place,
    message: 'must not be negative',
    hint: 'others would be killed in its place when memory runs out',
  };
}
