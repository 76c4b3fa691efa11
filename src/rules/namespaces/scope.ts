/**
 * The namespaces that labels have chosen for one identity: what is of them carries a label that says so, so that it is
 * known again by any process.
 */

import { listEndpoints, listIn, type NamedKind, type NamedThing, thingIn } from '../../docker/named-things.ts';
import { containerOfExec } from '../../docker/own-requests.ts';
import { SCOPE_LABEL } from '../../docker/reserved-labels.ts';
import { engineName } from '../../exchange/namespacing.ts';
import type { EngineSide } from './engine-side.ts';
import { ownerOf } from './ownership.ts';
import type { Reference } from './references.ts';

const KINDS: readonly NamedKind[] = ['container', 'network', 'volume'];

export class Scope {
  /** The filter of lists that keeps what is of it. */
  readonly label: string;
  private readonly name: string;
  private readonly side: EngineSide;
  private readonly namespaces = new Set<string>();

  constructor(name: string, side: EngineSide) {
    this.name = name;
    this.label = `${SCOPE_LABEL}=${name}`;
    this.side = side;
  }

  /** From now on things of the namespace are of this scope. */
  admit(namespace: string): void {
    this.namespaces.add(namespace);
    this.side.scopes.set(namespace, this.name);
  }

  has(namespace: string): boolean {
    return this.namespaces.has(namespace);
  }

  /** Those that have anything on the engine, by asking it. */
  async all(): Promise<readonly string[]> {
    const lists = await Promise.all(KINDS.map((kind) => this.list(kind)));
    return [...new Set(lists.flat().map(({ owner }) => owner))];
  }

  /** The namespaces that have what is meant: as dockerd looks, by the full id, the name, the beginning of an id. */
  async ownersOf({ kind, text }: Pick<Reference, 'kind' | 'text'>): Promise<readonly string[]> {
    if (kind === 'exec') {
      const container = containerOfExec(await this.side.desk.ask('ExecInspect', { parameters: { id: text } }));
      return this.ownersOf({ kind: 'container', text: container ?? text });
    }
    const known = this.side.directory.owner(text);
    if (known !== null && this.has(known)) return [known];
    const listed = await this.list(kind);
    const ways = [
      ({ thing }: Listed) => thing.id === text,
      ({ thing, owner }: Listed) => thing.name === engineName(owner, text),
      ({ thing }: Listed) => kind !== 'volume' && text !== '' && thing.id.startsWith(text),
    ];
    for (const means of ways) {
      const owners = new Set(listed.filter(means).map(({ owner }) => owner));
      if (owners.size > 0) return [...owners];
    }
    return [];
  }

  private async list(kind: NamedKind): Promise<readonly Listed[]> {
    const query = { ...(kind === 'container' ? { all: true } : {}), filters: { label: [this.label] } };
    const answer = await this.side.desk.ask(listEndpoints[kind], { query });
    return listIn(kind, answer).flatMap((item) => {
      const thing = thingIn(kind, item);
      const owner = thing === null ? null : ownerOf(thing);
      if (thing === null || owner === null) return [];
      this.admit(owner);
      return [{ thing, owner }];
    });
  }
}

interface Listed {
  readonly thing: NamedThing;
  readonly owner: string;
}
