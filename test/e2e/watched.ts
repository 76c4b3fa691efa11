// A program that runs beside a test: what it says is awaited, not slept for. Also as a person at a terminal has it.
import { type ChildProcess, spawn } from 'node:child_process';

const DEADLINE_MS = 30_000;

export interface WatchOptions {
  readonly env: Readonly<Record<string, string>>;
  readonly cwd?: string;
  /** A descriptor to read from, in place of a pipe. */
  readonly input?: number;
  /** Its descriptors from 3 on. */
  readonly descriptors?: readonly number[];
}

export interface Ended {
  /** 128 + 9 for one that was killed. */
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

export class Watched {
  readonly child: ChildProcess;
  /** Resolves when it has ended and all it said has come. */
  readonly ended: Promise<Ended>;
  private readonly out: Buffer[] = [];
  private readonly err: Buffer[] = [];
  private readonly heard = new Set<() => void>();
  private over = false;

  constructor(program: string, args: readonly string[], { env, cwd, input, descriptors = [] }: WatchOptions) {
    this.child = spawn(program, args, {
      env: { ...env },
      stdio: [input ?? 'pipe', 'pipe', 'pipe', ...descriptors],
      detached: true,
      ...(cwd === undefined ? {} : { cwd }),
    });
    const hear = (pieces: Buffer[]) => (chunk: Buffer) => {
      pieces.push(chunk);
      for (const look of this.heard) look();
    };
    this.child.stdout?.on('data', hear(this.out));
    this.child.stderr?.on('data', hear(this.err));
    this.child.stdin?.on('error', () => {});
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => {
        this.over = true;
        for (const look of this.heard) look();
        resolve({ code: code ?? 137, stdout: this.stdout, stderr: this.stderr });
      });
    });
    this.ended.catch(() => {});
  }

  get stdout(): string {
    return Buffer.concat(this.out).toString();
  }

  get stderr(): string {
    return Buffer.concat(this.err).toString();
  }

  /** Standard output as bytes. */
  get bytes(): Buffer {
    return Buffer.concat(this.out);
  }

  /** Resolves with the match as soon as what it has said, on either stream, holds it. */
  said(pattern: RegExp, deadlineMs = DEADLINE_MS): Promise<RegExpExecArray> {
    return new Promise((resolve, reject) => {
      const settle = (act: () => void): void => {
        clearTimeout(timer);
        this.heard.delete(look);
        act();
      };
      const told = (what: string): Error =>
        new Error(`${what} before it said ${pattern}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`);
      const timer = setTimeout(() => settle(() => reject(told(`${deadlineMs} ms were over`))), deadlineMs);
      const look = (): void => {
        const found = pattern.exec(this.stdout) ?? pattern.exec(this.stderr);
        if (found !== null) settle(() => resolve(found));
        else if (this.over) settle(() => reject(told('it ended')));
      };
      this.heard.add(look);
      look();
    });
  }

  type(text: string | Buffer): void {
    this.child.stdin?.write(text);
  }

  /** The end of its input. */
  finishInput(): void {
    this.child.stdin?.end();
  }

  signal(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Its end, or an error with what it said after the deadline; then it is killed with all that it started. */
  async end(deadlineMs = DEADLINE_MS): Promise<Ended> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.kill();
        reject(new Error(`not ended after ${deadlineMs} ms\nstdout: ${this.stdout}\nstderr: ${this.stderr}`));
      }, deadlineMs);
    });
    try {
      return await Promise.race([this.ended, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  kill(): void {
    try {
      if (this.child.pid !== undefined) process.kill(-this.child.pid, 'SIGKILL');
    } catch {
      // It has ended by itself.
    }
  }
}

/** The same at a terminal of 30 rows and 90 columns (script of util-linux is on every Debian). Its first line is its tty. */
export function atTerminal(program: string, args: readonly string[], options: WatchOptions): Watched {
  const quoted = [program, ...args].map((word) => `'${word.replaceAll("'", `'\\''`)}'`).join(' ');
  const line = `tty; stty rows 30 cols 90; exec ${quoted}`;
  return new Watched('script', ['--quiet', '--return', '--command', line, '/dev/null'], {
    ...options,
    env: { ...options.env, SHELL: '/bin/sh', TERM: 'dumb' },
  });
}
