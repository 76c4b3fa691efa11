/** A listener whose clients all have one namespace: the socket of a container. */

import type { Call } from '../../exchange/call.ts';
import type { Namespace, Namespacing } from '../../exchange/namespacing.ts';
import type { EngineSide, NamespaceSettings } from './engine-side.ts';
import { OwnNamespace } from './own-namespace.ts';

export class OneNamespace implements Namespacing {
  private readonly side: EngineSide;
  private readonly namespace: Namespace;

  constructor(name: string, side: EngineSide, settings: NamespaceSettings) {
    this.side = side;
    this.namespace = new OwnNamespace(name, side, settings);
  }

  of(_: Call): Namespace {
    this.side.uses.note(this.namespace.name);
    return this.namespace;
  }
}
