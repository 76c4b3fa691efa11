/**
 * Go's standard library as a judge (judge/): what an engine would understand. Where the Go toolchain is missing this
 * throws: a differential test that is skipped in silence proves nothing.
 */
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

interface JudgedRequest {
  readonly method: string;
  readonly target: string;
  readonly proto: string;
  readonly host: string;
  /** Lower-case names, sorted by name; values of one name in their order. `Host` and framing are not among them. */
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
}

export interface JudgedConnection {
  readonly requests: readonly JudgedRequest[];
  readonly bodyError: string;
  readonly written: string;
}

interface JudgedAnswer {
  readonly status: number;
  /** The status with the reason, as `200 OK`. */
  readonly reason: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly body: string;
  readonly close: boolean;
  readonly rest: string;
  readonly error: string;
  readonly bodyError: string;
}

export interface JudgedTarget {
  readonly path: string;
  readonly escapedPath: string;
  readonly cleanPath: string;
  readonly host: string;
  readonly rawQuery: string;
  readonly query: Readonly<Record<string, readonly string[]>>;
  readonly error: string;
  readonly queryError: string;
}

export interface JudgedDocument {
  readonly any: { readonly value: unknown; readonly error: string };
  readonly create: { readonly value: unknown; readonly error: string };
  readonly legacy: { readonly value: unknown; readonly error: string };
  readonly trailing: boolean;
  readonly valid: boolean;
}

interface Verdicts {
  http: JudgedConnection;
  answer: JudgedAnswer;
  url: JudgedTarget;
  json: JudgedDocument;
}

export class Judge {
  readonly #folder: string;
  readonly #program: string;

  private constructor(folder: string, program: string) {
    this.#folder = folder;
    this.#program = program;
  }

  static build(): Judge {
    const folder = mkdtempSync(join(tmpdir(), 'berthgate-judge-'));
    const program = join(folder, 'judge');
    const source = join(import.meta.dirname, 'judge');
    try {
      execFileSync('go', ['build', '-o', program, '.'], {
        cwd: source,
        stdio: 'pipe',
        env: { ...process.env, GOFLAGS: '', GOTOOLCHAIN: 'local' },
      });
    } catch (cause) {
      rmSync(folder, { recursive: true, force: true });
      if ((cause as NodeJS.ErrnoException).code === 'ENOENT') {
        throw new Error('the differential tests need the Go toolchain (Debian: golang-go), and there is none', {
          cause,
        });
      }
      throw new Error(`the judge does not build: ${(cause as { stderr?: Buffer }).stderr?.toString()}`, { cause });
    }
    return new Judge(folder, program);
  }

  /** The verdicts on the messages, in their order. */
  async ask<Mode extends keyof Verdicts>(mode: Mode, messages: readonly Buffer[]): Promise<Verdicts[Mode][]> {
    const child = spawn(this.#program, [mode], { stdio: ['pipe', 'pipe', 'inherit'] });
    const pieces: Buffer[] = [];
    child.stdout.on('data', (piece: Buffer) => pieces.push(piece));
    const ended = new Promise<number | null>((resolve, reject) => {
      child.on('close', resolve);
      child.on('error', reject);
    });
    const lengths = messages.map((message) => {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(message.length);
      return length;
    });
    child.stdin.end(Buffer.concat(messages.flatMap((message, i) => [lengths[i] as Buffer, message])));
    const code = await ended;
    const lines = Buffer.concat(pieces).toString().split('\n').slice(0, -1);
    if (code !== 0 || lines.length !== messages.length) {
      throw new Error(`the judge ended with ${code} after ${lines.length} of ${messages.length} messages`);
    }
    return lines.map((line) => JSON.parse(line) as Verdicts[Mode]);
  }

  close(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
