/**
 * While a new process takes over from an old one, each has calls of its own, and the engine asks at one address for the
 * images of both. A right says whose it is; what is for a call of the other process is passed on to that one.
 */

import { readdir, rm } from 'node:fs/promises';
import http from 'node:http';
import net from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';

const TAG = /^[0-9a-f]{8}/;
const NAME = /^[0-9a-f]{8}$/;
/** It is a process of this machine, with nothing to look up. */
const ANSWER_MS = 5000;
/** Of one connection alone, in both directions. */
const HOP_BY_HOP: ReadonlySet<string> = new Set(['connection', 'keep-alive', 'transfer-encoding', 'upgrade']);

export class OtherProcesses {
  private readonly folder: string;
  /** 8 hexadecimal digits, with which all rights of this process begin. */
  private readonly own: string;

  /** @param folder where each process of the installation has a socket, by its tag */
  constructor(folder: string, own: string) {
    this.folder = folder;
    this.own = own;
  }

  /** Where this process is asked. */
  get path(): string {
    return join(this.folder, this.own);
  }

  /** To the process whose right it is, as far as one can see from it; null where that is this one, or is gone. */
  async reach(capability: string): Promise<net.Socket | null> {
    const [tag] = TAG.exec(capability) ?? [];
    return tag === undefined || tag === this.own ? null : this.connect(tag);
  }

  /** Whether it is worth something to the process whose it is. */
  async knows(capability: string): Promise<boolean> {
    const socket = await this.reach(capability);
    if (socket === null) return false;
    const headers = { Authorization: `Bearer ${capability}` };
    return new Promise((resolve) => {
      const request = http.get(
        { path: '/v2/', headers, createConnection: () => socket, timeout: ANSWER_MS },
        (answer) => {
          answer.resume();
          socket.end();
          resolve(answer.statusCode === 200);
        },
      );
      request.on('timeout', () => request.destroy());
      request.on('error', () => resolve(false));
    });
  }

  /** Takes away what processes left that were killed. */
  async tidy(): Promise<void> {
    const names = await readdir(this.folder).catch(() => []);
    for (const name of names) if (NAME.test(name) && name !== this.own) (await this.connect(name))?.destroy();
  }

  private connect(tag: string): Promise<net.Socket | null> {
    const path = join(this.folder, tag);
    return new Promise((resolve) => {
      const socket = net.connect({ path });
      socket.once('connect', () => resolve(socket));
      socket.once('error', async ({ code }: NodeJS.ErrnoException) => {
        // It appears when it is listened on, and no other process ever has the name.
        if (code === 'ECONNREFUSED') await rm(path, { force: true }).catch(() => {});
        resolve(null);
      });
    });
  }
}

/** The request as it came, and the answer as it comes. @throws Error where either side goes away */
export async function passOn(
  socket: net.Socket,
  request: http.IncomingMessage,
  response: http.ServerResponse,
): Promise<void> {
  const { method, url, rawHeaders } = request;
  const onward = http.request({ method, path: url, headers: endToEnd(rawHeaders), createConnection: () => socket });
  const answered = new Promise<http.IncomingMessage>((resolve, reject) => {
    onward.on('response', resolve);
    onward.on('error', reject);
  });
  response.on('close', () => socket.destroy());
  // An answer may come before the request is over.
  pipeline(request, onward).catch((fault: Error) => onward.destroy(fault));
  const answer = await answered;
  response.writeHead(answer.statusCode ?? 502, endToEnd(answer.rawHeaders));
  await pipeline(answer, response);
}

function endToEnd(rawHeaders: readonly string[]): string[] {
  return rawHeaders.filter((_, i) => !HOP_BY_HOP.has((rawHeaders[i - (i % 2)] as string).toLowerCase()));
}
