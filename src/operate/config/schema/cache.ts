/** The HTTP cache that containers are served from. */

import { z } from 'zod';
import { hostPattern, httpUrl, ipAddress } from './addresses.ts';
import { expecting, Objection, textOf } from './field.ts';
import { headerName, listOf, oneOf, pathGlob } from './names.ts';
import { duration, lastingDuration, size } from './quantities.ts';

export interface FolderStore {
  readonly kind: 'folder';
  readonly path: string;
}

export interface BucketStore {
  readonly kind: 's3';
  readonly bucket: string;
  /** Without slashes at its ends; empty for the whole bucket. */
  readonly prefix: string;
}

function store() {
  return textOf(
    { kind: 'file or s3 URL', what: 'a folder, or s3://BUCKET/PREFIX' },
    (text): FolderStore | BucketStore | Objection | undefined => {
      if (text.startsWith('s3://')) {
        const found = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([A-Za-z0-9._/-]*))?$/.exec(text);
        if (found === null) return new Objection('is no s3://BUCKET/PREFIX');
        return { kind: 's3', bucket: found[1] as string, prefix: (found[2] ?? '').replace(/^\/+|\/+$/g, '') };
      }
      if (text === '' || text.includes('\0') || text.includes('://')) return undefined;
      return { kind: 'folder', path: text };
    },
  );
}

const redirectedHost = z
  .union(
    [
      hostPattern(),
      z.strictObject({
        host: hostPattern().meta({ description: 'The host.' }),
        tls: oneOf('intercept', 'pass')
          .prefault('intercept')
          .meta({ description: 'Whether TLS to it is ended with our CA, or passes untouched.' }),
        origin: httpUrl().nullable().prefault(null).meta({
          description: 'Where its files are fetched instead, such as a mirror nearby; it may have an inner address.',
        }),
      }),
    ],
    { error: expecting('a host name, or a map with `host`, `tls` and `origin`') },
  )
  .transform((entry) => (typeof entry === 'string' ? { host: entry, tls: 'intercept' as const, origin: null } : entry));

const rule = z.strictObject({
  host: hostPattern().meta({ description: 'The host that the rule is for.' }),
  path: pathGlob()
    .prefault('/**')
    .meta({ description: 'The paths that the rule is for: `*` within a part, `**` across them.' }),
  minFresh: duration().optional().meta({
    description:
      'How long an answer counts as fresh at least, whatever its server and clients say: for files that never change.',
  }),
  maxFresh: duration().optional().meta({ description: 'How long an answer counts as fresh at most.' }),
  staleIfError: duration().prefault('1d').meta({
    description: 'How long a stale answer stands in where the server fails and has not said how long it may.',
  }),
  forward: listOf(headerName()).prefault([]).meta({
    description:
      'Names of request headers that reach the server although answers are not kept apart by them; `*` for all. Whoever sends them decides what others get.',
  }),
});

const ca = z.strictObject({
  life: lastingDuration().prefault('7d').meta({ description: 'How long a CA of ours is valid.' }),
  rotate: lastingDuration()
    .prefault('2d')
    .meta({ description: 'After what time a new one takes over; less than `life`.' }),
});

export const cache = z.strictObject({
  store: store().prefault('/var/cache/berthgate').meta({
    description:
      'Where the bytes lie: a folder, or `s3://BUCKET/PREFIX` with `AWS_ACCESS_KEY_ID`, `AWS_SECRET_ACCESS_KEY`, `AWS_REGION` and, for a server of your own, `AWS_ENDPOINT_URL` in the environment.',
  }),
  maxBytes: size(2 ** 20)
    .prefault('50GiB')
    .meta({
      description: 'How much is kept; what was used once goes before what was used again, the longest unused first.',
    }),
  address: listOf(ipAddress())
    .prefault([])
    .meta({ description: "Where containers reach the cache. Default: the bridge's addresses." }),
  passAddress: listOf(ipAddress())
    .prefault([])
    .meta({ description: 'A second address: port 80 is cached, 443 passes untouched by its SNI.' }),
  hosts: listOf(redirectedHost)
    .prefault([])
    .meta({ description: 'The hosts that containers are redirected for: a name, or `{host, tls, origin}`.' }),
  rules: listOf(rule)
    .prefault([])
    .meta({ description: 'What is kept longer or shorter than its server says; the first that fits counts.' }),
  ca: ca.prefault({}).meta({ description: 'The CA of interception.' }),
});

/** What the registry cache has where there is no section of the cache. */
export function defaultCache() {
  return cache.parse({});
}
