/**
 * References of images, read and written as Docker's own library does (github.com/distribution/reference): from what
 * people write (`debian`) to the whole reference (`docker.io/library/debian`) and back.
 */

export interface ImageReference {
  /** With its port: `docker.io`, `localhost:5000`, `[2001:db8::1]:5000`. */
  readonly domain: string;
  /** `library/debian`. */
  readonly path: string;
  readonly tag: string | null;
  /** `sha256:…`; where there is one, the engine does not look at the tag. */
  readonly digest: string | null;
}

const defaultDomain = 'docker.io';
const formerDefaultDomain = 'index.docker.io';
const official = 'library/';

const MOST_PATH = 255;

const component = '[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*';
const label = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const host = `(?:${label}(?:\\.${label})*|\\[(?:[a-fA-F0-9:]+)\\])`;
const wholeDomain = new RegExp(`^${host}(?::[0-9]+)?$`);
const wholePath = new RegExp(`^${component}(?:/${component})*$`);
const wholeTag = /^\w[\w.-]{0,127}$/;
/** The algorithms that Docker knows, and how many digits each has. */
const digits: Readonly<Record<string, number>> = { sha256: 64, sha384: 96, sha512: 128 };

/** An id, which no reference may look like. */
const identifier = /^[a-f0-9]{64}$/;

/** Null for what Docker would not take: also for ids, which are no references. */
export function readReference(text: string): ImageReference | null {
  if (identifier.test(text)) return null;
  const { domain, rest } = splitDomain(text);
  const at = rest.indexOf('@');
  const digest = at < 0 ? null : rest.slice(at + 1);
  if (digest !== null && !isDigest(digest)) return null;
  const named = at < 0 ? rest : rest.slice(0, at);
  // Behind the last slash: a colon before it belongs to no tag, and the path takes none.
  const colon = named.indexOf(':', named.lastIndexOf('/') + 1);
  const path = colon < 0 ? named : named.slice(0, colon);
  const tag = colon < 0 ? null : named.slice(colon + 1);
  if (tag !== null && !wholeTag.test(tag)) return null;
  if (path.length > MOST_PATH || !wholePath.test(path) || !wholeDomain.test(domain)) return null;
  return { domain, path, tag, digest };
}

/** The whole reference: `docker.io/library/debian:12`. */
export function formatReference({ domain, path, tag, digest }: ImageReference): string {
  return `${domain}/${path}${tag === null ? '' : `:${tag}`}${digest === null ? '' : `@${digest}`}`;
}

/** As people write it: without what goes without saying, where that would not be read as something else. */
export function familiarReference(reference: ImageReference): string {
  const whole = formatReference(reference);
  const short = whole.replace(/^docker\.io\/(?:library\/(?=[^/]+$))?/, '');
  const read = readReference(short);
  return read !== null && formatReference(read) === whole ? short : whole;
}

export function isTag(text: string): boolean {
  return wholeTag.test(text);
}

/** With the tag that goes without saying. */
export function tagged(reference: ImageReference): ImageReference {
  return reference.tag === null && reference.digest === null ? { ...reference, tag: 'latest' } : reference;
}

/** `sha256:…` in the form that Docker takes. */
export function isDigest(text: string): boolean {
  const colon = text.indexOf(':');
  const algorithm = text.slice(0, colon);
  if (colon < 0 || !Object.hasOwn(digits, algorithm)) return false;
  return text.length === colon + 1 + (digits[algorithm] ?? 0) && /^[a-f0-9]+$/.test(text.slice(colon + 1));
}

/** Whether the engine could take the text for an id, or for the beginning of one. */
export function readsAsId(text: string): boolean {
  return /^(?:sha256:)?[a-f0-9]{1,64}$/.test(text);
}

/** What stands before the first slash is a registry where it could not be a name. Also for patterns. */
export function splitDomain(text: string): { readonly domain: string; readonly rest: string } {
  const slash = text.indexOf('/');
  const first = text.slice(0, slash);
  const isDomain = slash >= 0 && (/[.:]/.test(first) || first === 'localhost' || first !== first.toLowerCase());
  const domain = isDomain && first !== formerDefaultDomain ? first : defaultDomain;
  const rest = isDomain ? text.slice(slash + 1) : text;
  return { domain, rest: domain === defaultDomain && !rest.includes('/') ? `${official}${rest}` : rest };
}
