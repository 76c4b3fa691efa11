/** What the audit says of what one container has had of the HTTP cache. The form is a contract: docs/audit.md tells it. */

import type { Json } from '../../ground/json.ts';
import { auditVersion } from './audit-entry.ts';

export interface CacheAccount {
  readonly engine: string;
  readonly container: { readonly id: string; readonly name: string };
  /** Each null where it has none. */
  readonly user: string | null;
  readonly namespace: string | null;
  readonly job: string | null;
  /** Of the owner of its job socket. */
  readonly claims: Readonly<Record<string, string>>;
  readonly requests: number;
  /** Of them: answered without the origin's body. */
  readonly hits: number;
  /** Of bodies. */
  readonly bytes: number;
  /** Of them: of hits. */
  readonly hitBytes: number;
}

export function cacheAccountEntry(account: CacheAccount, timeMs: number): Json {
  const { user, namespace, claims, engine, container, job, requests, hits, bytes, hitBytes } = account;
  return {
    v: auditVersion,
    time: new Date(timeMs).toISOString(),
    call: null,
    listener: null,
    user,
    groups: [],
    by: null,
    owner: null,
    claims,
    namespace,
    project: claims.project_path ?? claims.project ?? null,
    endpoint: null,
    method: null,
    path: null,
    objects: [{ kind: 'container', name: container.name, place: null }],
    status: 0,
    decision: 'served',
    policy: 'cache',
    rule: null,
    refusal: null,
    field: null,
    value: null,
    message: null,
    remedy: null,
    changes: [],
    cache: { engine, container: container.id, job, requests, hits, bytes, hitBytes },
  };
}
