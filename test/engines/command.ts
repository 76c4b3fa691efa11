// Runs a program to its end, with a deadline. Its whole process group ends with it: docker's plugins are processes too.
import { spawn } from 'node:child_process';

export interface CommandOptions {
  readonly input?: string | Uint8Array;
  /** The whole environment, not an addition to ours. */
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** Default: 60 s. The command is killed and the promise rejected when it is over. */
  readonly timeoutMs?: number;
}

export interface CommandResult {
  /** The exit code; 128 + the signal's number where a signal ended it, as a shell says it. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The same standard output as bytes, for tars. */
  readonly bytes: Buffer;
}

const signalNumbers: Readonly<Record<string, number>> = { SIGHUP: 1, SIGINT: 2, SIGKILL: 9, SIGPIPE: 13, SIGTERM: 15 };

/** A code other than 0 is an answer, not an error: tests look at it. */
export function run(program: string, args: readonly string[], options: CommandOptions = {}): Promise<CommandResult> {
  const { input, env, cwd, timeoutMs = 60_000 } = options;
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      detached: true,
      stdio: 'pipe',
      ...(env === undefined ? {} : { env: { ...env } }),
      ...(cwd === undefined ? {} : { cwd }),
    });
    const out: Buffer[] = [];
    const err: Buffer[] = [];
    let expired = false;
    const deadline = setTimeout(() => {
      expired = true;
      killGroup(child.pid);
      // A grandchild that left the group may still hold the pipes.
      child.stdout.destroy();
      child.stderr.destroy();
    }, timeoutMs);
    child.stdout.on('data', (chunk: Buffer) => out.push(chunk));
    child.stderr.on('data', (chunk: Buffer) => err.push(chunk));
    // A program that does not read its input to the end is its own business.
    child.stdin.on('error', () => {});
    child.stdin.end(input);
    child.on('error', (error) => {
      clearTimeout(deadline);
      reject(error);
    });
    child.on('close', (code, signal) => {
      clearTimeout(deadline);
      const bytes = Buffer.concat(out);
      const stdout = bytes.toString();
      const stderr = Buffer.concat(err).toString();
      if (expired) {
        reject(new Error(`${program} ${args.join(' ')}: not done after ${timeoutMs} ms\n${stdout}\n${stderr}`));
      } else {
        resolve({ code: code ?? 128 + (signalNumbers[signal ?? ''] ?? 0), stdout, stderr, bytes });
      }
    });
  });
}

function killGroup(pid: number | undefined): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}
