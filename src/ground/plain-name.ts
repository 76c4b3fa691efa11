/** What a name of a user or a group may be, whoever says it. */

const maxLength = 256;

// Controls, formatting characters, lone surrogates and line separators forge log lines and look-alikes (RED-TEAM 69).
const unfit = /[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}]/u;

export function isPlainName(text: string): boolean {
  return text !== '' && text.length <= maxLength && text === text.trim() && !unfit.test(text);
}
