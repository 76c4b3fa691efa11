/** Which namespace an identity has: a template such as `{user}` or `ci-{claim.project_path}`. */

import { createHash } from 'node:crypto';
import type { Identity } from '../../exchange/identity.ts';
import { refuse } from '../../exchange/judge.ts';
import type { NamespaceSettings } from './engine-side.ts';
import { isNamespace } from './names.ts';

const RULE = 'namespaces';
const LONGEST = 32;
const HASH_LENGTH = 16;
const SCOPE_LENGTH = 32;
const LABEL = 'label.';

/** What a name that had to be changed ends with, and jobs are called: plain names of the kind are changed too, so that none ever meet. */
const HASHED = /-[0-9a-f]{16}$|^j-[0-9a-f]{20}$/;

export type NamespaceOf = (identity: Identity) => string;

type Piece = { readonly text: string } | { readonly placeholder: string };

/** Gives a function that throws a Refusal for an identity without what the template asks for. */
export function readTemplate(template: string, listener: string): NamespaceOf {
  const pieces = piecesOf(template, listener);
  const placeholders = placeholdersOf(pieces);
  return (identity) => {
    const values = placeholders.map((placeholder) => claimOf(placeholder, identity));
    const spelled = spell(pieces, values);
    // Two values beside each other could be cut in two ways: a-b and c, a and b-c.
    if (values.length < 2 && isNamespace(spelled) && !HASHED.test(spelled)) return spelled;
    return slug(spelled, JSON.stringify([template, ...values]));
  };
}

/** Whose cache builds use: never the same word as of a namespace. Null: the namespace's own. */
export function readCacheScope(template: string | null, listener: string): NamespaceSettings['builds']['cacheScopeOf'] {
  if (template === null) return (_identity, namespace) => namespace;
  const scopeOf = readTemplate(template, listener);
  // A job is a new user each time; what is kept warm is its owner's.
  return (identity) => `scope ${scopeOf(identity.owner ?? identity)}`;
}

/** What labels of a create choose among the namespaces of an identity. */
export interface LabelTemplate {
  /** What all namespaces of the identity have in common: a value for a label, the same for nobody else. */
  readonly scopeOf: NamespaceOf;
  /** For what belongs to no project. */
  readonly commonOf: NamespaceOf;
  /** @throws Refusal where a label is missing */
  readonly namespaceOf: (identity: Identity, labels: Readonly<Record<string, string>>) => string;
}

export function choosesByLabel(template: string): boolean {
  return template.includes(`{${LABEL}`);
}

/** Every name has a hash of the template and of all values, so that no label leads to a namespace of anybody else. */
export function readLabelTemplate(template: string, listener: string): LabelTemplate {
  const pieces = piecesOf(template, listener);
  const placeholders = placeholdersOf(pieces);
  const exact = template.replaceAll('{listener}', listener);
  const own = placeholders.filter((placeholder) => !placeholder.startsWith(LABEL));
  const ofIdentity = (identity: Identity): readonly string[] => [
    'identity',
    exact,
    ...own.map((placeholder) => claimOf(placeholder, identity)),
  ];
  return {
    scopeOf: (identity) => hashOf(JSON.stringify(ofIdentity(identity)), SCOPE_LENGTH),
    commonOf: (identity) => slug(`${identity.user}-common`, JSON.stringify(ofIdentity(identity))),
    namespaceOf: (identity, labels) => {
      const values = placeholders.map((placeholder) =>
        placeholder.startsWith(LABEL) ? labelOf(placeholder, labels) : claimOf(placeholder, identity),
      );
      return slug(spell(pieces, values), JSON.stringify([exact, ...values]));
    },
  };
}

function labelOf(placeholder: string, labels: Readonly<Record<string, string>>): string {
  const value = labels[placeholder.slice(LABEL.length)] ?? '';
  if (value !== '') return value;
  throw refuse(RULE, 'no-namespace', `the create has no {${placeholder}}, which the namespace is made of`, {
    place: 'Labels',
  });
}

function placeholdersOf(pieces: readonly Piece[]): readonly string[] {
  return pieces.flatMap((piece) => ('placeholder' in piece ? [piece.placeholder] : []));
}

function spell(pieces: readonly Piece[], values: readonly string[]): string {
  let at = 0;
  return pieces.map((piece) => ('text' in piece ? piece.text : (values[at++] as string))).join('');
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
  const hash = hashOf(exactly, HASH_LENGTH);
  const readable = text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, LONGEST - HASH_LENGTH - 1)
    .replace(/^-+|-+$/g, '');
  return readable === '' ? `x-${hash}` : `${readable}-${hash}`;
}

function hashOf(text: string, length: number): string {
  return createHash('sha256').update(text).digest('hex').slice(0, length);
}
