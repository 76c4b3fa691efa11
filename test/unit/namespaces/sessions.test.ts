import { describe, expect, it } from 'vitest';
import { sessionEndpoints } from '../../../src/docker/endpoints/session.ts';
import type { Call } from '../../../src/exchange/call.ts';
import { OwnBuildkit } from '../../../src/rules/namespaces/own-buildkit.ts';

const SHARED_KEY = 'x-docker-expose-session-sharedkey';

/** The key of what a session has sent, as the engine hears it from a client of the namespace. */
function keyHeard(namespace: string, given: readonly string[] | undefined): readonly string[] | undefined {
  const endpoint = sessionEndpoints.find(({ id }) => id === 'Session');
  const headers = given === undefined ? {} : { [SHARED_KEY]: given };
  const call = { endpoint, parameters: {}, query: {}, headers, body: null } as unknown as Call;
  return new OwnBuildkit(namespace, {} as never, {} as never).offering(call).headers[SHARED_KEY];
}

describe('the files that a session of a build has sent', () => {
  it('are shared by sessions of one namespace with one key', () => {
    expect(keyHeard('alice', ['app'])).toEqual(keyHeard('alice', ['app']));
    expect(keyHeard('alice', ['app'])).not.toEqual(keyHeard('bob', ['app']));
  });

  it('are not shared with another namespace where no key is said: BuildKit takes those for one and the same', () => {
    for (const unsaid of [undefined, [], ['']]) {
      expect(keyHeard('alice', unsaid)).toEqual(['alice.']);
      expect(keyHeard('bob', unsaid)).toEqual(['bob.']);
    }
  });
});
