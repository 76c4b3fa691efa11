/** What Berthgate itself puts into the requests of BuildKit's API. */

import { isObject, type JsonObject } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';
import { readMessage } from './protobuf.ts';
import { type SourceRule, withSourceRules } from './source-policy.ts';
import { visit } from './visit.ts';
import type { CallValues } from './visit-call.ts';

const FRONTEND = 'dockerfile.v0';

const frontendFields: Readonly<Record<string, string>> = {
  BuildkitSolve: 'FrontendAttrs',
  BuildkitBridgeSolve: 'FrontendOpt',
};

/** The first API version whose engines hold to source policies (Docker 24, BuildKit 0.11). */
export const SOURCE_POLICIES_SINCE = 43;

/** Whether the call begins a build, or a part of it, whose sources are not named in it. */
export function opensBuild({ id }: Endpoint): boolean {
  return Object.hasOwn(frontendFields, id);
}

/** The rules hold for the whole build, also for what its frontend asks for. */
export function withSources<C extends CallValues>(call: C, rules: readonly SourceRule[]): C {
  if (call.endpoint.id !== 'BuildkitSolve' || !isObject(call.body)) return call;
  return { ...call, body: { ...call.body, SourcePolicy: withSourceRules(call.body.SourcePolicy, rules) } };
}

/** The Dockerfile is read by the engine's own frontend: a command line, even an empty one, takes precedence over `# syntax=`. */
export function withOwnFrontend<C extends CallValues>(call: C): C {
  const { body } = call;
  const field = frontendFields[call.endpoint.id];
  if (field === undefined || !isObject(body) || body.Frontend !== FRONTEND) return call;
  const attributes = (body[field] ?? {}) as JsonObject;
  if (Object.hasOwn(attributes, 'cmdline')) return call;
  return { ...call, body: { ...body, [field]: { ...attributes, cmdline: '' } } };
}

/** The contents of the engine that an answer speaks of, by their digests. */
export function contentsIn({ id, answer }: Endpoint, message: Uint8Array): readonly string[] {
  if (id !== 'BuildkitListenHistory' || answer.shape?.kind !== 'object') return [];
  const digests: string[] = [];
  visit(answer.shape, readMessage(answer.shape, message).value, ({ value, marks }) => {
    if (typeof value === 'string' && marks.some(({ mark }) => mark === 'uses')) digests.push(value);
    return value;
  });
  return digests;
}

/** The contents of the engine that a call asks for; null where it asks for none. */
export function contentAsked({ endpoint, body }: CallValues): string | null {
  if (!endpoint.id.startsWith('BuildkitContent') || !isObject(body)) return null;
  return typeof body.Digest === 'string' ? body.Digest : '';
}
