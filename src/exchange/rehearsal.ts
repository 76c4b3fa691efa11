/** An engine that is asked, and told to do nothing: what it would have to do is written down, and imagined as done. */

import { type ImaginedThing, imagine, withImagined } from '../docker/imagined.ts';
import { listEndpoints, type NamedKind, thingIn } from '../docker/named-things.ts';
import type { FilterValues } from '../docker/query.ts';
import type { Json } from '../ground/json.ts';
import type { Call } from './call.ts';
import type { DeskAnswer, DeskOrder, DeskQuestion, EngineDesk } from './engine-desk.ts';

export interface RehearsedOrder {
  readonly endpointId: string;
  readonly order: DeskOrder;
}

const kindByList = new Map(Object.entries(listEndpoints).map(([kind, id]) => [id, kind as NamedKind]));

export class Rehearsal implements EngineDesk {
  readonly name: string;
  private readonly desk: EngineDesk;
  private readonly kept = new Map<string, unknown>();
  private readonly imagined: ImaginedThing[] = [];
  private orders: RehearsedOrder[] = [];

  constructor(desk: EngineDesk) {
    this.name = desk.name;
    this.desk = desk;
  }

  /** What the engine would have been told to do since this was asked last. */
  takeOrders(): readonly RehearsedOrder[] {
    const { orders } = this;
    this.orders = [];
    return orders;
  }

  /** From now on what the call makes is there. */
  carried({ endpoint, query, body }: Call): void {
    this.note(endpoint.id, typeof query.name === 'string' ? query.name : '', body);
  }

  once<T>(name: string, make: () => T): T {
    if (!this.kept.has(name)) this.kept.set(name, make());
    return this.kept.get(name) as T;
  }

  async ask(endpointId: string, question: DeskQuestion = {}): Promise<Json> {
    const kind = kindByList.get(endpointId);
    if (kind !== undefined) {
      const filters = (question.query?.filters ?? {}) as FilterValues;
      return withImagined(kind, await this.desk.ask(endpointId, question), this.imagined, filters.label ?? []);
    }
    const asked = Object.values(question.parameters ?? {});
    const found = this.imagined.find(({ kind: of, told }) => {
      const id = endpointId.toLowerCase() === `${of}inspect` ? thingIn(of, told)?.id : undefined;
      return id !== undefined && asked.includes(id);
    });
    return found === undefined ? this.desk.ask(endpointId, question) : found.told;
  }

  async order(endpointId: string, order: DeskOrder = {}): Promise<DeskAnswer> {
    this.orders.push({ endpointId, order });
    const told = this.note(endpointId, '', order.body ?? null);
    return told === null ? { status: 204, answer: null } : { status: 201, answer: told };
  }

  follow(): () => void {
    return () => {};
  }

  private note(endpointId: string, name: string, body: Json): Json {
    const thing = imagine(endpointId, name, body);
    if (thing === null) return null;
    this.imagined.push(thing);
    return thing.told;
  }
}
