/** How a container of Testcontainers is told from others. */

import { isObject, type Json } from '../ground/json.ts';
import { valueAt } from '../ground/json-path.ts';

/** Whether a create is that of the container that sweeps up behind a test run. */
export function isReaper(body: Json): boolean {
  const labels = valueAt(body, ['Labels']);
  const image = valueAt(body, ['Image']);
  const ofTests = isObject(labels) && Object.keys(labels).some((label) => label.startsWith('org.testcontainers'));
  return ofTests && typeof image === 'string' && image.includes('ryuk');
}
