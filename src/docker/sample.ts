/** The smallest answer that an endpoint could give, made of its shape: what a client is told that only asks. */

import type { Json } from '../ground/json.ts';
import type { Shape } from './shape.ts';

/** The id of everything that was not really made. */
export const sampleId = `${'0'.repeat(63)}1`;

/** Lists and maps are empty, texts too, but for ids, which are of their full length; objects within objects are null. */
export function sampleOf(shape: Shape): Json {
  if (shape.kind !== 'object') return sampleOfField(shape);
  const sample: Record<string, Json> = Object.create(null);
  for (const [name, field] of Object.entries(shape.fields)) sample[name] = sampleOfField(field);
  return sample;
}

function sampleOfField(shape: Shape): Json {
  switch (shape.kind) {
    case 'text':
      return sampleText(shape);
    case 'bool':
      return false;
    case 'int':
    case 'number':
      return 0;
    case 'list':
      return [];
    case 'map':
      return Object.create(null);
    default:
      return null;
  }
}

function sampleText(shape: Shape & { readonly kind: 'text' }): string {
  if (shape.values !== undefined) return shape.values[0] ?? '';
  const named = shape.marks.some(({ mark }) => mark === 'uses' || mark === 'makes');
  return named ? sampleId : '';
}
