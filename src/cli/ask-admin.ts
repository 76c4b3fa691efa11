/** A question to the server that runs, over its admin socket. */

import http from 'node:http';
import { CommandFailed } from './terminal.ts';

export interface AdminAnswer {
  readonly status: number;
  readonly body: {
    text(): Promise<string>;
    /** As they come. @throws when the server breaks off */
    lines(): AsyncIterable<string>;
  };
}

/** @throws CommandFailed where no server answers, or not to us */
export function askAdmin(socket: string, method: string, path: string): Promise<AdminAnswer> {
  return new Promise((resolve, reject) => {
    const request = http.request({ socketPath: socket, method, path, agent: false }, (answer) => {
      const { statusCode: status = 0 } = answer;
      resolve({ status, body: { text: () => textOf(answer), lines: () => linesOf(answer) } });
    });
    request.on('error', (fault: NodeJS.ErrnoException) => reject(new CommandFailed(explain(socket, fault))));
    request.end();
  });
}

async function textOf(answer: http.IncomingMessage): Promise<string> {
  let text = '';
  answer.setEncoding('utf8');
  for await (const piece of answer) text += piece;
  return text;
}

async function* linesOf(answer: http.IncomingMessage): AsyncIterable<string> {
  let rest = '';
  answer.setEncoding('utf8');
  for await (const piece of answer) {
    const lines = (rest + piece).split('\n');
    rest = lines.pop() as string;
    yield* lines;
  }
}

function explain(socket: string, { code, message }: NodeJS.ErrnoException): string {
  if (code === 'EACCES') return `berthgate: ${socket}: only the user that Berthgate runs as, and root, may open it`;
  if (code === 'ENOENT' || code === 'ECONNREFUSED') {
    return `berthgate: no server answers at ${socket}: is it running, and does its configuration say admin.url?`;
  }
  return `berthgate: ${socket}: ${message}`;
}
