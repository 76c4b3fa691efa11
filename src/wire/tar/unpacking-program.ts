/**
 * A stream that another program unpacks, as engines themselves have xz do: what Node cannot read is left to the programs
 * that every distribution has.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import { Duplex } from 'node:stream';

const programs = {
  bzip2: ['bzip2', '-d', '-c', '-q'],
  // What its best compression needs is 65 MiB.
  xz: ['xz', '-d', '-c', '-q', '--memlimit-decompress=128MiB'],
  zstd: ['zstd', '-d', '-c', '-q', '--memory=128MiB'],
} as const;

const MOST_AT_ONCE = 16;
/** Who has moved less than this, as it came and unpacked, in so long makes room for others. */
const LEAST_BYTES = 1024 * 1024;
const LOOKED_AT_MS = 60_000;
const running = new Set<UnpackingProgram>();

export type ProgramName = keyof typeof programs;

/** `error` is told where the program is missing, does not like what it reads, or cannot be had now. */
export class UnpackingProgram extends Duplex {
  private readonly child: ChildProcess | null = null;
  private movedBytes = 0;
  private foundMovingMs = performance.now();

  constructor(name: ProgramName) {
    super();
    if (!makeRoom()) {
      this.destroy(new Error(`${MOST_AT_ONCE} archives of this kind are being unpacked: try again later`));
      return;
    }
    const [program, ...args] = programs[name];
    let child: ChildProcess;
    try {
      child = spawn(program, args, { stdio: ['pipe', 'pipe', 'ignore'] });
    } catch (fault) {
      this.destroy(fault as Error);
      return;
    }
    running.add(this);
    this.child = child;
    // Where no more files can be opened it has none of them; `error` follows.
    const { stdin, stdout } = child;
    child.on('error', (fault: NodeJS.ErrnoException) => {
      running.delete(this);
      const isMissing = fault.code === 'ENOENT';
      this.destroy(new Error(isMissing ? `the program ${program} is missing here: pack it with gzip` : fault.message));
    });
    // Its exit says what was wrong.
    stdin?.on('error', () => {});
    stdout?.on('data', (bytes: Buffer) => {
      this.movedBytes += bytes.length;
      if (!this.push(bytes)) stdout.pause();
    });
    // All that it has written is read by then.
    child.on('close', (code) => {
      running.delete(this);
      if (code === 0) this.push(null);
      else this.destroy(new Error(`it is no whole stream of ${name}, or needs too much memory`));
    });
  }

  /** Looks at what has moved since it was last found to move, where that is long enough ago to tell. */
  hasStalled(nowMs: number): boolean {
    const forMs = nowMs - this.foundMovingMs;
    if (forMs < LOOKED_AT_MS) return false;
    if (this.movedBytes < (LEAST_BYTES * forMs) / LOOKED_AT_MS) return true;
    this.movedBytes = 0;
    this.foundMovingMs = nowMs;
    return false;
  }

  override _read(): void {
    this.child?.stdout?.resume();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
    this.movedBytes += chunk.length;
    // The bytes are in use until the program has them.
    if (this.child?.stdin?.writable === true) this.child.stdin.write(chunk, () => done());
    else done();
  }

  override _final(done: (error?: Error | null) => void): void {
    this.child?.stdin?.end();
    done();
  }

  override _destroy(fault: Error | null, done: (error?: Error | null) => void): void {
    this.child?.kill('SIGKILL');
    done(fault);
  }
}

function makeRoom(): boolean {
  if (running.size < MOST_AT_ONCE) return true;
  const nowMs = performance.now();
  const stalled = [...running].find((one) => !one.destroyed && one.hasStalled(nowMs));
  stalled?.destroy(new Error('too little of it comes, and others wait'));
  return stalled !== undefined;
}
