/** The authenticators of a listener, made of what its configuration names. */

import { resolve } from 'node:path';
import type { Authenticator, AuthenticatorLog } from '../../exchange/authenticator.ts';
import { authenticatorKinds } from '../../front/identity/authenticators.ts';
import { ConfigRefused, type LoadedConfig } from '../../operate/config/index.ts';

/** Created and started. @throws ConfigRefused for options that are not theirs, Error where one cannot start */
export async function startAuthenticators(
  loaded: LoadedConfig,
  index: number,
  log: AuthenticatorLog,
): Promise<readonly Authenticator[]> {
  const authenticators = createAuthenticators(loaded, index, log);
  const started: Authenticator[] = [];
  try {
    for (const authenticator of authenticators) {
      await authenticator.start?.();
      started.push(authenticator);
    }
  } catch (fault) {
    await stopAuthenticators(started);
    throw fault;
  }
  return started;
}

export async function stopAuthenticators(authenticators: readonly Authenticator[]): Promise<void> {
  for (const authenticator of authenticators) await authenticator.stop?.();
}

function createAuthenticators(loaded: LoadedConfig, index: number, log: AuthenticatorLog): readonly Authenticator[] {
  const listener = loaded.config.listeners[index];
  if (listener === undefined) return [];
  const { kind } = listener.url;
  const transport = kind === 'unix' ? 'unix' : kind === 'fd' ? null : listener.tls === undefined ? 'tcp' : 'tls';
  return listener.auth.map(({ use, options }, at) => {
    const place = ['listeners', index, 'auth', at];
    const known = authenticatorKinds.get(use);
    if (known === undefined) throw new ConfigRefused([loaded.fault(place, `${use} is not there yet`)]);
    const read = known.options.safeParse(options);
    if (!read.success) {
      throw new ConfigRefused(
        read.error.issues.map(({ path, message }) => loaded.fault([...place, ...path.map(String)], message)),
      );
    }
    return known.create(read.data, {
      listener: listener.name,
      transport,
      clientCa: listener.tls?.clientCa ?? null,
      resolve: (file) => resolve(resolve(loaded.file, '..'), file),
      log,
    });
  });
}
