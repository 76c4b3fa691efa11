/** What a plugin is given to work with, so that it need not import anything while it runs. */

import { formatReference, type ImageReference, readReference } from '../../docker/image-reference.ts';
import type { Visitor } from '../../docker/visit.ts';
import { visitCall } from '../../docker/visit-call.ts';
import { type Authorization, readAuthorization } from '../../exchange/authorization.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { RequestHead } from '../../wire/message.ts';

export interface RefuseFacts {
  /** Where in the call: `HostConfig.Privileged`, `query.t[0]`. */
  readonly place?: string;
  /** What the client can do about it. */
  readonly hint?: string;
}

export interface PluginTools {
  /** What a policy throws: `message` says what must hold, as `must be pinned to a digest`. */
  readonly refuse: (rule: string, message: string, facts?: RefuseFacts) => Refusal;
  /** What an authenticator throws for a credential that is there and wrong. */
  readonly notIdentified: (message: string, facts?: { readonly challenge?: string }) => Refusal;
  /** What an authenticator throws where it cannot find out. */
  readonly unavailable: (message: string, cause?: unknown) => Refusal;
  /** The `Authorization` of a request, its scheme in lower case; null where there is none. */
  readonly readAuthorization: (head: RequestHead) => Authorization | null;
  /** Shows every marked place of a call; gives back the call with what the visitor put there. */
  readonly visitCall: (call: Call, visitor: Visitor) => Call;
  /** Takes a reference of an image apart, as Docker normalises it; null for what is none. */
  readonly readReference: (text: string) => ImageReference | null;
  /** The whole reference: `docker.io/library/debian:12`. */
  readonly formatReference: (reference: ImageReference) => string;
}

export function toolsFor(name: string): PluginTools {
  return {
    refuse: (rule, message, facts) => refuse(name, rule, message, facts),
    notIdentified: (message, facts) => new Refusal('not-identified', message, { place: 'Authorization', ...facts }),
    unavailable: (message, cause) => new Refusal('identity-unavailable', message, cause === undefined ? {} : { cause }),
    readAuthorization: (head) => readAuthorization(head) ?? null,
    visitCall,
    readReference,
    formatReference,
  };
}
