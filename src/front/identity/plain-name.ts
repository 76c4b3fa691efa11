/** Names in credentials. */

import { isPlainName } from '../../ground/plain-name.ts';
import { Refusal } from '../../ground/refusal.ts';

export { isPlainName };

/** @throws Refusal not-identified */
export function plainName(text: string, place: string): string {
  if (!isPlainName(text)) throw new Refusal('not-identified', 'the name in the credential cannot be used', { place });
  return text;
}
