/** Names, files, patterns and templates: the texts of the configuration that are neither quantities nor addresses. */

import { z } from 'zod';
import { globFault, maxGlobLength } from '../../../ground/glob.ts';
import { didYouMean } from '../suggest.ts';
import { expecting, Objection, textOf, textOrNumberOf } from './field.ts';

/** The name of a listener or an engine: also a label of metrics, and part of namespaces. */
export function partName() {
  const pattern = '^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$';
  const reading = { kind: 'name', what: 'a name of a-z, 0-9 and - (at most 32, no - at the ends)', pattern };
  return textOf(reading, (text) => (/^[a-z0-9]([a-z0-9-]{0,30}[a-z0-9])?$/.test(text) ? text : undefined));
}

/** A file or folder. Relative paths count from the folder of the configuration. */
export function file() {
  const reading = { kind: 'file', what: 'a path' };
  return textOf(reading, (text) => {
    return text !== '' && !text.includes('\0') && Buffer.byteLength(text) < 4096 ? text : undefined;
  });
}

/** A user or group of the machine: its name or its number. */
export function account(what: string) {
  return textOrNumberOf({ kind: 'name or number', what, pattern: '^[A-Za-z_][A-Za-z0-9_.@-]{0,254}[$]?$' }, (input) => {
    if (typeof input === 'number') return input < 2 ** 32 - 1 ? input : undefined;
    return /^[A-Za-z_][A-Za-z0-9_.@-]{0,254}[$]?$/.test(input) ? input : undefined;
  });
}

/** A pattern for names: `*` any run of characters, `?` any one. Matched with `compileGlob(pattern)`. */
export function nameGlob() {
  return glob('pattern', 'a pattern such as "*:latest"');
}

/** A pattern for paths: `*` does not cross `/`, `**` does. Matched with `compileGlob(pattern, {separator: '/'})`. */
export function pathGlob() {
  return glob('pattern of paths', 'a pattern such as /pool/**');
}

function glob(kind: string, what: string) {
  return textOf({ kind, what, pattern: `^.{1,${maxGlobLength}}$` }, (text) => {
    const fault = globFault(text);
    return fault === undefined ? text : new Objection(`the pattern ${fault}`);
  });
}

/** A word of free text without control characters: a label's key, a SAN, a name of Docker's. */
export function word(what: string) {
  return textOf({ kind: 'text', what, pattern: '^[!-~]{1,256}$' }, (text) =>
    /^[!-~]{1,256}$/.test(text) ? text : undefined,
  );
}

/** The name of a header field (RFC 9110 token). */
export function headerName() {
  const reading = { kind: 'header', what: 'the name of a header', pattern: "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$" };
  return textOf(reading, (text) => (/^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,64}$/.test(text) ? text : undefined));
}

const simplePlaceholders = ['user', 'group', 'listener'];

/** The placeholders of a template, such as `user`, `claim.project`, `label.com.example.job`. */
export function placeholdersOf(template: string): readonly string[] {
  return Array.from(template.matchAll(/\{([^{}]*)\}/g), (found) => found[1] as string);
}

/** `{user}`, `{group}`, `{listener}`, `{claim.NAME}`, `{label.KEY}` and a-z, 0-9, - between them. */
export function template() {
  const reading = { kind: 'template', what: 'a template such as "{user}"', pattern: '^([a-z0-9-]|\\{[^{}]+\\})+$' };
  return textOf(reading, (text) => {
    if (text.length > 256 || !/^([a-z0-9-]|\{[^{}]{1,128}\})+$/.test(text)) return undefined;
    for (const placeholder of placeholdersOf(text)) {
      if (simplePlaceholders.includes(placeholder) || /^(claim|label)\.[!-~]+$/.test(placeholder)) continue;
      const meant = didYouMean(placeholder, simplePlaceholders);
      return new Objection(
        `unknown placeholder {${placeholder}}${meant || ': there are {user}, {group}, {listener}, {claim.NAME} and {label.KEY}'}`,
      );
    }
    return text;
  });
}

/** One of a few words. */
export function oneOf<const Words extends readonly [string, ...string[]]>(...words: Words) {
  const error = (issue: { readonly input?: unknown }): string => {
    const meant = typeof issue.input === 'string' ? didYouMean(issue.input, words) : '';
    return (
      expecting(words.length === 1 ? words[0] : `${words.slice(0, -1).join(', ')} or ${words.at(-1)}`)(issue) + meant
    );
  };
  return z.enum(words, { error }).meta({ kind: 'word' });
}

/** A list; `least` entries at least. */
export function listOf<Entry extends z.ZodType>(entry: Entry, least = 0) {
  const list = z.array(entry, { error: expecting('a list') });
  return least === 0 ? list : list.min(least, { error: 'must have at least one entry' });
}
