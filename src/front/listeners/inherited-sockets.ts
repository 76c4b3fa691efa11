/** Sockets that the service manager opened for us (sd_listen_fds(3)): LISTEN_PID, LISTEN_FDS, LISTEN_FDNAMES. */

const FIRST_DESCRIPTOR = 3;
const MOST_SOCKETS = 1024;
/** What systemd calls a socket without a name. */
const UNNAMED = 'unknown';

/** Descriptors by name. `env` loses the variables: children must not take the sockets for theirs. Throws where they make no sense. */
export function takeInheritedSockets(env: NodeJS.ProcessEnv, pid: number): ReadonlyMap<string, readonly number[]> {
  const { LISTEN_PID: forPid, LISTEN_FDS: count, LISTEN_FDNAMES: names } = env;
  delete env.LISTEN_PID;
  delete env.LISTEN_FDS;
  delete env.LISTEN_FDNAMES;
  const byName = new Map<string, number[]>();
  // A variable that was meant for our parent.
  if (count === undefined || forPid !== String(pid)) return byName;
  if (!/^\d{1,4}$/.test(count) || Number(count) > MOST_SOCKETS) {
    throw new Error(`LISTEN_FDS=${JSON.stringify(count)} is no number of sockets`);
  }
  const named = names === undefined || names === '' ? [] : names.split(':');
  if (named.length > 0 && named.length !== Number(count)) {
    throw new Error(`LISTEN_FDNAMES names ${named.length} sockets, LISTEN_FDS says ${count}`);
  }
  for (let i = 0; i < Number(count); i++) {
    const name = named[i] || UNNAMED;
    const descriptors = byName.get(name) ?? [];
    descriptors.push(FIRST_DESCRIPTOR + i);
    byName.set(name, descriptors);
  }
  return byName;
}
