/** What a command has of the world around it, so that tests can give it another one. */

import { createInterface } from 'node:readline';

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The effective user. */
  readonly uid: number;
  out(text: string): void;
  err(text: string): void;
  /** Absent, and null, where nobody is there to answer. */
  readonly ask?: (question: string) => Promise<string | null>;
}

export const realTerminal: Terminal = {
  env: process.env,
  uid: process.geteuid?.() ?? -1,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  ask: askPerson,
};

function askPerson(question: string): Promise<string | null> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) return Promise.resolve(null);
  const lines = createInterface({ input: process.stdin, output: process.stderr });
  return new Promise((resolve) => {
    lines.on('close', () => resolve(''));
    lines.question(question, (answer) => {
      resolve(answer);
      lines.close();
    });
  });
}

/** Ends a command with exit code 1; the message is for people. */
export class CommandFailed extends Error {}

/** Ends a command with the exit code of another program. */
export class CommandEnded extends Error {
  readonly exitCode: number;

  constructor(exitCode: number) {
    super(`exit code ${exitCode}`);
    this.exitCode = exitCode;
  }
}
