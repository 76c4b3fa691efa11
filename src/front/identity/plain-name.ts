/** What a name of a user or a group may be, whoever says it. */

import { Refusal } from '../../ground/refusal.ts';

const maxLength = 256;

// Controls, formatting characters, lone surrogates and line separators forge log lines and look-alikes (RED-TEAM 69).
const unfit = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

export function isPlainName(text: string): boolean {
  return text !== '' && text.length <= maxLength && text === text.trim() && !unfit.test(text);
}

/** @throws Refusal not-identified */
export function plainName(text: string, place: string): string {
  if (!isPlainName(text)) throw new Refusal('not-identified', 'the name in the credential cannot be used', { place });
  return text;
}
