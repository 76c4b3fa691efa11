/** What a command has of the world around it, so that tests can give it another one. */

export interface Terminal {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The effective user. */
  readonly uid: number;
  out(text: string): void;
  err(text: string): void;
}

export const realTerminal: Terminal = {
  env: process.env,
  uid: process.geteuid?.() ?? -1,
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
};

/** Ends a command with exit code 1; the message is for people. */
export class CommandFailed extends Error {}
