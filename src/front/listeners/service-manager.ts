/**
 * What a service manager is told (sd_notify(3)): that we serve, read again or end, who we are after an upgrade, and the
 * sockets that it is to keep for the process that comes after us.
 */

import { execFile } from 'node:child_process';
import type net from 'node:net';
import { type DescriptorPassing, descriptorOf } from './pass-descriptors.ts';

export interface ServiceManager {
  /** For a process that is to go on in our place. */
  readonly environment: { readonly NOTIFY_SOCKET: string };
  /** `READY=1` and the like, one assignment each. */
  tell(...states: readonly string[]): void;
  /** The next process finds it by this name (LISTEN_FDNAMES), as long as the manager has room (FileDescriptorStoreMax). */
  keep(name: string, server: net.Server): void;
  /** Keeps it no more. */
  drop(name: string): void;
}

/** Null where none asks to be told. `env` loses the variable: what children say is not said by us. */
export function findServiceManager(
  env: NodeJS.ProcessEnv,
  passing: DescriptorPassing | null,
  onFault: (fault: Error) => void,
): ServiceManager | null {
  const { NOTIFY_SOCKET: path } = env;
  delete env.NOTIFY_SOCKET;
  if (path === undefined || !/^[/@]./.test(path)) return null;
  const send = (states: readonly string[], fd: number | null): void => {
    try {
      if (passing !== null) passing.sendDatagram(path, states.join('\n'), fd);
      else if (fd === null) tellByProgram(path, states, onFault);
    } catch (fault) {
      onFault(fault as Error);
    }
  };
  return {
    environment: { NOTIFY_SOCKET: path },
    tell: (...states) => send(states, null),
    keep: (name, server) => send(['FDSTORE=1', `FDNAME=${name}`], descriptorOf(server)),
    drop: (name) => send(['FDSTOREREMOVE=1', `FDNAME=${name}`], null),
  };
}

/** It comes with the manager, and passes no sockets on before its version 254. */
function tellByProgram(path: string, states: readonly string[], onFault: (fault: Error) => void): void {
  execFile('systemd-notify', [...states], { env: { PATH: process.env.PATH, NOTIFY_SOCKET: path } }, (fault) => {
    if (fault !== null) onFault(fault);
  });
}
