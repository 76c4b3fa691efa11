/** What administrators see and do of the namespaces on all engines that have some. */

import type { NamespaceAdministration, NamespaceThing } from '../../operate/admin/namespaces-api.ts';
import {
  destroyNamespace,
  type EngineSide,
  type Holding,
  holdingsOf,
  isNamespace,
  survey,
} from '../../rules/namespaces/index.ts';

export function namespaceAdministration(sides: () => Iterable<EngineSide>): NamespaceAdministration {
  const told = (side: EngineSide, { kind, name, id, state }: Holding): NamespaceThing => ({
    engine: side.desk.name,
    kind,
    name,
    id,
    state,
  });
  return {
    isNamespace,
    async list() {
      const lists = await Promise.all(
        [...sides()].map(async (side) =>
          [...(await survey(side))].map(([namespace, things]) => summaryOf(side, namespace, things)),
        ),
      );
      return lists.flat().sort((a, b) => (a.namespace < b.namespace ? -1 : a.namespace > b.namespace ? 1 : 0));
    },
    async show(namespace) {
      const lists = await Promise.all(
        [...sides()].map(async (side) => (await holdingsOf(side, namespace)).map((thing) => told(side, thing))),
      );
      return lists.flat();
    },
    async remove(namespace, onLine, signal) {
      let complete = true;
      await Promise.all(
        [...sides()].map(async (side) => {
          const left = await destroyNamespace(
            side,
            namespace,
            (step) => {
              const thing = step.thing === null ? null : told(side, step.thing);
              if (step.step === 'waiting') onLine({ ...step, engine: side.desk.name, thing });
              else onLine({ step: 'removed', thing: told(side, step.thing) });
            },
            signal,
          );
          for (const { thing, reason } of left) onLine({ step: 'left', thing: told(side, thing), reason });
          if (left.length > 0) complete = false;
        }),
      );
      onLine({ step: 'done', complete });
    },
  };
}

function summaryOf(side: EngineSide, namespace: string, things: readonly Holding[]) {
  const count = (kind: Holding['kind']): number => things.filter((thing) => thing.kind === kind).length;
  const usedAtMs = side.uses.of(namespace);
  return {
    engine: side.desk.name,
    namespace,
    containers: { running: things.filter(({ state }) => state === 'running').length, total: count('container') },
    networks: count('network'),
    volumes: count('volume'),
    images: new Set(things.flatMap(({ image }) => image ?? [])).size,
    lastUse: usedAtMs === undefined ? null : new Date(usedAtMs).toISOString(),
  };
}
