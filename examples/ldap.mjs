// An authenticator: user and password of HTTP Basic, checked by binding to an LDAP server; groups by a search.
//
//   auth:
//     - use: ./ldap.mjs
//       url: ldaps://ldap.example.org
//       user: "uid={user},ou=people,dc=example,dc=org"
//       groups: { base: "ou=groups,dc=example,dc=org", filter: "(memberUid={user})", name: cn }
//       remember: 300                 # seconds for which a right password is not asked again
//
// It needs the package `ldapts` beside it: npm install ldapts

import { createHmac, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { Client, InvalidCredentialsError } from 'ldapts';

const TIMEOUT_MS = 3000;
const MOST_REMEMBERED = 10_000;

/** @type {import('berthgate/plugins').AuthenticatorPlugin<any>} */
export default {
  kind: 'authenticator',
  name: 'ldap',

  options(given) {
    const { url, user, groups, ca, remember = 60, ...rest } = given;
    const [unknown] = Object.keys(rest);
    if (unknown !== undefined) throw new Error(`there is no option ${unknown}`);
    if (typeof url !== 'string' || !/^ldaps?:\/\/[^/]+\/?$/.test(url))
      throw new Error('url must be ldap:// or ldaps://');
    if (typeof user !== 'string' || !user.includes('{user}'))
      throw new Error('user must be a name in the tree with {user}');
    if (groups !== undefined && ![groups.base, groups.filter, groups.name].every((text) => typeof text === 'string')) {
      throw new Error('groups must have base, filter and name');
    }
    if (ca !== undefined && typeof ca !== 'string') throw new Error('ca must be the path of a file');
    if (!Number.isInteger(remember) || remember < 0) throw new Error('remember must be seconds');
    return { url, user, groups, ca, rememberMs: remember * 1000 };
  },

  create({ url, user: userName, groups, ca, rememberMs }, { notIdentified, unavailable, readAuthorization, resolve }) {
    const key = randomBytes(32);
    const remembered = new Map();
    let tlsOptions;

    async function ask(user, password) {
      const client = new Client({
        url,
        timeout: TIMEOUT_MS,
        connectTimeout: TIMEOUT_MS,
        ...(tlsOptions && { tlsOptions }),
      });
      try {
        await client.bind(userName.replaceAll('{user}', escapeName(user)), password);
        return { user, groups: await groupsOf(client, user), claims: {} };
      } catch (fault) {
        // What the server says about a user who does not exist must not differ from a wrong password.
        if (fault instanceof InvalidCredentialsError) throw notIdentified('wrong user or password');
        throw unavailable('the LDAP server does not answer as it should', fault);
      } finally {
        await client.unbind().catch(() => {});
      }
    }

    async function groupsOf(client, user) {
      if (groups === undefined) return [];
      const filter = groups.filter.replaceAll('{user}', escapeFilter(user));
      const { searchEntries } = await client.search(groups.base, { scope: 'sub', filter, attributes: [groups.name] });
      return searchEntries.flatMap((entry) => entry[groups.name] ?? []).map(String);
    }

    /** A docker command makes a dozen calls: not each of them is worth a bind. */
    function known(digest) {
      const found = remembered.get(digest);
      if (found === undefined || found.untilMs < Date.now()) return null;
      return found.identity;
    }

    return {
      challenge: 'Basic realm="ldap", charset="UTF-8"',
      schemes: ['basic'],

      async start() {
        if (ca !== undefined) tlsOptions = { ca: [readFileSync(resolve(ca))] };
      },

      async identify(head) {
        const authorization = readAuthorization(head);
        if (authorization?.scheme !== 'basic') return null;
        const [, user, password] =
          /^([^:]+):(.*)$/s.exec(Buffer.from(authorization.credentials, 'base64').toString()) ?? [];
        // An empty password is a bind without a name in LDAP, which succeeds (RFC 4513 §5.1.2).
        if (user === undefined || password === undefined || password === '')
          throw notIdentified('wrong user or password');

        const digest = createHmac('sha256', key).update(`${user}\0${password}`).digest('hex');
        const before = known(digest);
        if (before !== null) return before;
        const identity = await ask(user, password);
        if (remembered.size >= MOST_REMEMBERED) remembered.clear();
        remembered.set(digest, { identity, untilMs: Date.now() + rememberMs });
        return identity;
      },
    };
  },
};

/** RFC 4514: a name with a comma in it must not become two. */
function escapeName(text) {
  return text.replace(/[\\,+"<>;=#\0]|^ | $/g, (found) => `\\${found.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** RFC 4515: a name with a parenthesis in it must not become another filter. */
function escapeFilter(text) {
  return text.replace(/[\\*()\0]/g, (found) => `\\${found.charCodeAt(0).toString(16).padStart(2, '0')}`);
}
