/** The options of `jwt`. */

import { z } from 'zod';
import { expecting, Objection, textOf } from '../../operate/config/schema/field.ts';
import { file, listOf, nameGlob, oneOf, word } from '../../operate/config/schema/names.ts';
import { duration } from '../../operate/config/schema/quantities.ts';
import { algorithms } from './issuer-keys.ts';

const claimName = () => word('the name of a claim');

export const jwtOptions = z
  .strictObject({
    issuer: word('the issuer, as `iss` says it').meta({ description: 'The `iss` of the tokens, to the letter.' }),
    audience: listOf(word('an audience'), 1).meta({
      description: 'The `aud` of the tokens: one of these. Without it a token for another service would do.',
    }),
    jwks: keySetPlace().meta({
      description:
        "The issuer's keys: an https URL (http on loopback only) or a file. A file is read again when it changes.",
    }),
    ca: file().meta({ description: "The CA, PEM, of the URL's host. Default: those that Node knows." }).optional(),
    algorithms: listOf(oneOf(...algorithms), 1)
      .prefault(['RS256', 'ES256'])
      .meta({ description: 'The algorithms of signatures that are taken. There are asymmetric ones only.' }),
    clockTolerance: duration()
      .prefault('30s')
      .refine((ms) => ms <= 300_000, { error: 'must be at most 5m' })
      .meta({ description: "How far the issuer's clock may be from ours." }),
    user: claimName().prefault('sub').meta({ description: 'The claim that names the user.' }),
    groups: claimName().meta({ description: 'The claim that lists groups. Absent: none.' }).optional(),
    claims: listOf(claimName())
      .prefault([])
      .meta({ description: 'Claims to keep, for `{claim.NAME}` in templates and for policies.' }),
    require: z
      .record(claimName(), listOf(nameGlob(), 1), { error: expecting('a map of claims to lists of patterns') })
      .prefault({})
      .meta({
        description:
          'What claims must be: patterns in which `*` does not cross `/` and `**` does; one of them must fit. Whoever has an account at the issuer gets a token: say here whose are meant.',
      }),
  })
  .refine(({ jwks, ca }) => ca === undefined || keySetUrl(jwks)?.protocol === 'https:', {
    error: 'ca is for an https URL of jwks',
    path: ['ca'],
  });

export type JwtOptions = z.output<typeof jwtOptions>;

/** https, or http to this very machine, where nobody stands between. Undefined where it is neither. */
export function keySetUrl(text: string): URL | undefined {
  if (!URL.canParse(text)) return undefined;
  const url = new URL(text);
  if (url.username !== '' || url.password !== '') return undefined;
  if (url.protocol === 'https:') return url;
  const loopback = /^(127\.\d+\.\d+\.\d+|\[::1\]|localhost)$/.test(url.hostname);
  return url.protocol === 'http:' && loopback ? url : undefined;
}

function keySetPlace() {
  return textOf({ kind: 'URL or file', what: 'an https URL or a file' }, (text) => {
    if (text === '' || text.includes('\0') || text.length > 4096) return undefined;
    if (keySetUrl(text) !== undefined || !/^[a-z][a-z0-9+.-]*:\/\//i.test(text)) return text;
    return new Objection('must be an https URL without a password, or http on loopback');
  });
}
