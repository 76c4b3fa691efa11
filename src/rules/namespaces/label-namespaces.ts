/**
 * Namespaces that labels choose: one CI runner is one identity for hundreds of projects. A create goes where its label
 * says; everything else belongs to the namespace of the object that it names, or is about all of the runner's.
 */

import { LRUCache } from 'lru-cache';
import { saidLabels } from '../../docker/reserved-labels.ts';
import type { Call } from '../../exchange/call.ts';
import type { Identity } from '../../exchange/identity.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Namespace, Namespacing } from '../../exchange/namespacing.ts';
import { AllOfScope, isAboutAll } from './all-of-scope.ts';
import type { EngineSide, ImageHolder, NamespaceSettings } from './engine-side.ts';
import { withoutStrangers } from './entering.ts';
import { OwnNamespace } from './own-namespace.ts';
import { type Reference, RULE, referencesIn } from './references.ts';
import { Scope } from './scope.ts';
import { isServed } from './served.ts';
import { type LabelTemplate, readLabelTemplate } from './template.ts';

const CREATES: ReadonlySet<string> = new Set(['ContainerCreate', 'NetworkCreate', 'VolumeCreate']);
const KEPT = 5000;

export class LabelNamespaces implements Namespacing {
  private readonly template: LabelTemplate;
  private readonly side: EngineSide;
  private readonly settings: NamespaceSettings;
  private readonly scopes = new LRUCache<string, Scope>({ max: KEPT });
  private readonly kept = new LRUCache<string, OwnNamespace>({ max: KEPT });

  constructor(template: string, listener: string, side: EngineSide, settings: NamespaceSettings) {
    this.template = readLabelTemplate(template, listener);
    this.side = side;
    this.settings = settings;
  }

  async of(call: Call): Promise<Namespace> {
    const { endpoint, identity, body } = call;
    const scope = this.scopeOf(identity);
    // A pull says no project: images are the runner's.
    const holder = { namespace: this.template.commonOf(identity), label: scope.label };
    if (CREATES.has(endpoint.id)) {
      const name = this.template.namespaceOf(identity, saidLabels(body));
      scope.admit(name);
      return this.used(name, holder);
    }
    const common = this.namespace(holder.namespace, holder);
    if (!isServed(endpoint)) return common;
    const namespace = (name: string): OwnNamespace => this.namespace(name, holder);
    if (isAboutAll(endpoint)) return new AllOfScope(scope, common, this.side, namespace);
    const named = referencesIn(withoutStrangers(call)).filter(({ filter }) => !filter);
    for (const reference of named) {
      const owner = await ownerOf(scope, reference, this.settings.networks.shared);
      if (owner !== null) return this.used(owner, holder);
    }
    // What nobody has is not found there, and what names nothing is nobody's.
    return common;
  }

  private scopeOf(identity: Identity): Scope {
    const name = this.template.scopeOf(identity);
    const kept = this.scopes.get(name) ?? new Scope(name, this.side);
    this.scopes.set(name, kept);
    return kept;
  }

  private namespace(name: string, holder: ImageHolder): OwnNamespace {
    const kept = this.kept.get(name) ?? new OwnNamespace(name, this.side, this.settings, holder);
    this.kept.set(name, kept);
    return kept;
  }

  /** The one that a call is for. */
  private used(name: string, holder: ImageHolder): OwnNamespace {
    this.side.uses.note(name);
    return this.namespace(name, holder);
  }
}

/** @throws Refusal where several projects have one of the name */
async function ownerOf(scope: Scope, reference: Reference, shared: readonly string[]): Promise<string | null> {
  const { kind, text } = reference;
  if (kind === 'network' && shared.includes(text)) return null;
  const owners = await scope.ownersOf(reference);
  if (owners.length <= 1) return owners[0] ?? null;
  throw refuse(RULE, 'ambiguous', `${kind} ${text} is ambiguous: ${owners.length} projects of this listener have one`, {
    hint: kind === 'volume' ? 'let its name say the project' : 'use its id, or let its name say the project',
  });
}
