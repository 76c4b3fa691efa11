/** Answers that have a place for warnings to the user. */

import { isList, isObject, type Json } from '../ground/json.ts';
import type { Endpoint } from './endpoint.ts';

/** The answer with more warnings; itself where it has no place for them. */
export function withWarnings(endpoint: Endpoint, answer: Json, warnings: readonly string[]): Json {
  const { shape } = endpoint.answer;
  if (warnings.length === 0 || !isObject(answer) || shape?.kind !== 'object') return answer;
  if (shape.fields.Warnings?.kind !== 'list') return answer;
  const before = answer.Warnings ?? null;
  return { ...answer, Warnings: [...(isList(before) ? before : []), ...warnings] };
}
