/** Clients learn the API version from answers: they are told what the engine and the table both know. */

import type { Endpoint } from '../docker/endpoint.ts';
import { tellsVersions, versionHeader, withVersions } from '../docker/version-answer.ts';
import { type Json, JsonFault, printJson, readJson } from '../ground/json.ts';
import type { AnswerHead, AnswerStart } from '../wire/message.ts';
import type { ApiRange } from './engine.ts';
import { offered } from './version.ts';

const MAX_DEPTH = 64;

/** The head itself, unless the engine's newest version is beyond the table. */
export function clampHead(head: AnswerHead, engine: ApiRange): AnswerStart {
  const { newest } = offered(engine);
  if (newest === engine.newest) return head;
  const headers = head.headers.map((value, index) =>
    index % 2 === 1 && head.headers[index - 1]?.toLowerCase() === versionHeader ? `1.${newest}` : value,
  );
  return { status: head.status, reason: head.reason, headers };
}

/** The body with the versions that are offered; itself where it tells none, or tells the same. */
export function clampBody(endpoint: Endpoint, body: Buffer, engine: ApiRange): Buffer {
  if (!tellsVersions(endpoint)) return body;
  const range = offered(engine);
  if (range.newest === engine.newest && range.oldest === engine.oldest) return body;
  let read: Json;
  try {
    read = readJson(body, MAX_DEPTH);
  } catch (fault) {
    // An error page of somebody between us and the engine is shown as it is.
    if (fault instanceof JsonFault) return body;
    throw fault;
  }
  return Buffer.from(printJson(withVersions(read, range)));
}
