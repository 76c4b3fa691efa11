/** Which namespace an identity has: a template such as `{user}` or `ci-{claim.project_path}`. */

import { createHash } from 'node:crypto';
import type { Identity } from '../../exchange/identity.ts';
import { refuse } from '../../exchange/judge.ts';
import { isNamespace } from './names.ts';

const RULE = 'namespaces';
const LONGEST = 32;
const HASH_LENGTH = 16;

/** What a name that had to be changed ends with: plain names that end so are changed too, so that the two never meet. */
const HASHED = /-[0-9a-f]{16}$/;

export type NamespaceOf = (identity: Identity) => string;

type Piece = { readonly text: string } | { readonly placeholder: string };

/** Gives a function that throws a Refusal for an identity without what the template asks for. */
export function readTemplate(template: string, listener: string): NamespaceOf {
  const pieces = piecesOf(template, listener);
  const placeholders = pieces.flatMap((piece) => ('placeholder' in piece ? [piece.placeholder] : []));
  return (identity) => {
    const values = placeholders.map((placeholder) => claimOf(placeholder, identity));
    let at = 0;
    const spelled = pieces.map((piece) => ('text' in piece ? piece.text : (values[at++] as string))).join('');
    // Two values beside each other could be cut in two ways: a-b and c, a and b-c.
    if (values.length < 2 && isNamespace(spelled) && !HASHED.test(spelled)) return spelled;
    return slug(spelled, JSON.stringify([template, ...values]));
  };
}

function piecesOf(template: string, listener: string): readonly Piece[] {
  return template
    .split(/(\{[^{}]*\})/)
    .filter((text) => text !== '')
    .map((text): Piece => {
      const placeholder = /^\{(.*)\}$/.exec(text)?.[1];
      if (placeholder === undefined) return { text };
      return placeholder === 'listener' ? { text: listener } : { placeholder };
    });
}

function claimOf(placeholder: string, { user, groups, claims }: Identity): string {
  const value =
    placeholder === 'user'
      ? user
      : placeholder === 'group'
        ? groups[0]
        : placeholder.startsWith('claim.') && Object.hasOwn(claims, placeholder.slice('claim.'.length))
          ? claims[placeholder.slice('claim.'.length)]
          : undefined;
  if (value === undefined || value === '') {
    throw refuse(RULE, 'no-namespace', `the identity has no {${placeholder}}, which the namespace is made of`);
  }
  return value;
}

function slug(text: string, exactly: string): string {
  const hash = createHash('sha256').update(exactly).digest('hex').slice(0, HASH_LENGTH);
  const readable = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST - HASH_LENGTH - 1)
    .replace(/^-+|-+$/g, '');
  return readable === '' ? `x-${hash}` : `${readable}-${hash}`;
}
