/** The command itself: at the same terminal, and with the signals that are meant for it. */

import { spawn } from 'node:child_process';
import { constants } from 'node:os';

const NOT_FOUND = 127;
const NOT_EXECUTABLE = 126;
const BY_SIGNAL = 128;

/** Gives its exit code as a shell would say it. */
export function runCommand(
  [program = '', ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  onFault: (text: string) => void,
): Promise<number> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { env: { ...env }, stdio: 'inherit' });
    let asked = 0;
    const pass = (signal: NodeJS.Signals): void => {
      // A terminal tells everybody who is in front of it, the command too.
      if (signal === 'SIGINT' && atTerminal()) return;
      asked++;
      child.kill(asked > 2 ? 'SIGKILL' : signal);
    };
    const signals = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;
    for (const signal of signals) process.on(signal, pass);
    const settle = (code: number): void => {
      for (const signal of signals) process.off(signal, pass);
      resolve(code);
    };
    child.once('error', (fault: NodeJS.ErrnoException) => {
      onFault(`${program}: ${fault.code === 'ENOENT' ? 'not found' : fault.message}`);
      settle(fault.code === 'ENOENT' ? NOT_FOUND : NOT_EXECUTABLE);
    });
    child.once('exit', (code, signal) => {
      settle(code ?? BY_SIGNAL + (signal === null ? 0 : constants.signals[signal]));
    });
  });
}

function atTerminal(): boolean {
  return process.stdin.isTTY === true || process.stderr.isTTY === true;
}

/** The environment in which `docker`, and what speaks as it does, finds the socket. */
export function environmentFor(
  socket: string,
  job: string,
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const { DOCKER_CONTEXT: _, DOCKER_TLS: __, DOCKER_TLS_VERIFY: ___, DOCKER_CERT_PATH: ____, ...others } = env;
  return { ...others, DOCKER_HOST: `unix://${socket}`, BERTHGATE_JOB: job };
}
