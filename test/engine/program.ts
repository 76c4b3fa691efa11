// The few programs that containers of the fake engine can run: `cat`, `sleep`, and `sh -c` with echo, cat, sleep, exit.

export interface ProgramIo {
  out(text: string | Uint8Array): void;
  err(text: string): void;
  /** Input from here on; `end` when it ended. Null where there is none: it has ended already. */
  readonly input: ProgramInput | null;
  /** Resolves with the exit code when somebody kills it. */
  readonly killed: Promise<number>;
}

/** What clients have typed, and what has not been read of it yet. */
export class ProgramInput {
  #waiting: ((piece: Buffer | null) => void)[] = [];
  #pieces: (Buffer | null)[] = [];
  #ended = false;

  push(bytes: Uint8Array): void {
    if (!this.#ended) this.#give(Buffer.from(bytes));
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#give(null);
  }

  /** The next piece; null at the end, again and again. */
  read(): Promise<Buffer | null> {
    const piece = this.#pieces.shift();
    if (piece === null) this.#pieces.unshift(null);
    if (piece !== undefined) return Promise.resolve(piece);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #give(piece: Buffer | null): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#pieces.push(piece);
    else {
      waiting(piece);
      if (piece === null) this.#pieces.push(null);
    }
  }
}

/** Runs a command to its end and gives its exit code. */
export async function runProgram(command: readonly string[], io: ProgramIo): Promise<number> {
  const killed = io.killed.then((code) => ({ code }));
  const [program = '', ...rest] = command;
  if (program !== 'sh' || rest[0] !== '-c') return runOne([program, ...rest], io, killed);
  let code = 0;
  for (const statement of (rest[1] ?? '').split(/\s*;\s*/).filter((text) => text !== '')) {
    const words = statement.split(/\s+/);
    if (words[0] === 'exit') return Number(words[1] ?? code);
    code = await runOne(words, io, killed);
    if (code >= 128) return code;
  }
  return code;
}

async function runOne(
  [program = '', ...words]: readonly string[],
  io: ProgramIo,
  killed: Promise<{ readonly code: number }>,
): Promise<number> {
  switch (program) {
    case 'true':
      return 0;
    case 'false':
      return 1;
    case 'echo': {
      const wrong = words.at(-1) === '>&2';
      const line = `${words.filter((word) => word !== '>&2').join(' ')}\n`;
      if (wrong) io.err(line);
      else io.out(line);
      return 0;
    }
    case 'cat': {
      for (;;) {
        const piece = io.input === null ? null : await Promise.race([io.input.read(), killed]);
        if (piece === null) return 0;
        if (!Buffer.isBuffer(piece)) return piece.code;
        io.out(piece);
      }
    }
    case 'sleep': {
      let timer: NodeJS.Timeout | undefined;
      const slept = new Promise<{ readonly code: number }>((resolve) => {
        timer = setTimeout(() => resolve({ code: 0 }), Number(words[0]) * 1000);
      });
      const { code } = await Promise.race([slept, killed]);
      clearTimeout(timer);
      return code;
    }
    default:
      io.err(`sh: ${program}: not found\n`);
      return 127;
  }
}
