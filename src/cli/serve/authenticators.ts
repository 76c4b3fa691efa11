/** The authenticators of a listener, made of what its configuration names. */

import { resolve } from 'node:path';
import type {
  Authenticator,
  AuthenticatorContext,
  AuthenticatorKind,
  AuthenticatorLog,
} from '../../exchange/authenticator.ts';
import { FrontInstance } from '../../front/identity/front-instance.ts';
import {
  type ConfigFault,
  ConfigRefused,
  type ListenerConfig,
  type LoadedConfig,
  readOptions,
} from '../../operate/config/index.ts';
import { download } from '../../wire/download.ts';
import { siteOf } from './site.ts';

/** By what a configuration calls them. */
type AuthenticatorKinds = ReadonlyMap<string, AuthenticatorKind>;

/** Created and started. @throws ConfigRefused for options that are not theirs, and where one cannot start */
export async function startAuthenticators(
  loaded: LoadedConfig,
  index: number,
  log: AuthenticatorLog,
  kinds: AuthenticatorKinds,
): Promise<readonly Authenticator[]> {
  const { authenticators, faults } = createAuthenticators(loaded, index, log, kinds);
  if (faults.length > 0) throw new ConfigRefused(faults);
  const started: Authenticator[] = [];
  for (const [at, authenticator] of authenticators.entries()) {
    try {
      await authenticator.start?.();
      started.push(authenticator);
    } catch (fault) {
      await stopAuthenticators([...started, authenticator]);
      const before = loaded.config.listeners[index]?.trust === null ? 0 : 1;
      const place = at < before ? ['trust'] : ['auth', at - before];
      throw new ConfigRefused([loaded.fault(['listeners', index, ...place], (fault as Error).message)]);
    }
  }
  return started;
}

export async function stopAuthenticators(authenticators: readonly Authenticator[]): Promise<void> {
  for (const authenticator of authenticators) await authenticator.stop?.();
}

/** What is wrong with the options of any of them. Nothing is started, and no file is read. */
export function authenticatorFaults(loaded: LoadedConfig, kinds: AuthenticatorKinds): readonly ConfigFault[] {
  const silent = { info: () => {}, warn: () => {} };
  return loaded.config.listeners.flatMap((_, index) => createAuthenticators(loaded, index, silent, kinds).faults);
}

interface Created {
  readonly authenticators: readonly Authenticator[];
  readonly faults: readonly ConfigFault[];
}

function createAuthenticators(
  loaded: LoadedConfig,
  index: number,
  log: AuthenticatorLog,
  kinds: AuthenticatorKinds,
): Created {
  const authenticators: Authenticator[] = [];
  const faults: ConfigFault[] = [];
  const listener = loaded.config.listeners[index];
  if (listener === undefined) return { authenticators, faults };
  const { kind } = listener.url;
  const transport = kind === 'unix' ? 'unix' : kind === 'fd' ? null : listener.tls === undefined ? 'tcp' : 'tls';
  const context: AuthenticatorContext = {
    listener: listener.name,
    transport,
    clientCa: listener.tls?.clientCa ?? null,
    resolve: (file: string) => resolve(resolve(loaded.file, '..'), file),
    download: (url, wanted) => download(siteOf(loaded), url, wanted),
    log,
  };
  const front = frontInstanceOf(listener, context);
  if (front !== null) authenticators.push(front);
  for (const [at, { use, options }] of listener.auth.entries()) {
    const place = ['listeners', index, 'auth', at];
    const known = kinds.get(use);
    if (known === undefined) {
      faults.push(loaded.fault(place, `${use} is not there yet`));
      continue;
    }
    const read = readOptions(loaded, place, known.options, options);
    if (read.faults !== undefined) {
      faults.push(...read.faults);
      continue;
    }
    try {
      authenticators.push(known.create(read.options, context));
    } catch (fault) {
      faults.push(loaded.fault(place, (fault as Error).message));
    }
  }
  return { authenticators, faults };
}

/** Before all others: what it says of a client goes over what its own certificate would say. */
function frontInstanceOf({ trust, tls }: ListenerConfig, context: AuthenticatorContext): Authenticator | null {
  if (trust === null) return null;
  // The configuration is refused where there is none.
  if (tls?.clientCa === undefined) throw new Error('trust needs tls.clientCa');
  return new FrontInstance(trust, context, tls.clientCa);
}
