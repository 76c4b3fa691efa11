/**
 * Where the sockets of containers lie: a folder for each, mounted into its container, so that a socket that is made anew is
 * seen there. Nobody else on the host comes past the folder above them.
 */

import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SOCKET_NAME } from '../docker/socket-note.ts';

const NAME = /^[0-9a-f]{20}$/;

export class SocketFolders {
  private readonly above: string;
  /** Those that somebody here has begun to use. */
  private readonly used = new Set<string>();

  /** `above`: an absolute path that the engine knows by the same name. */
  constructor(above: string) {
    this.above = above;
  }

  async make(): Promise<string> {
    const name = randomBytes(10).toString('hex');
    await this.restore(name);
    return name;
  }

  /** There again, if it is not. */
  async restore(name: string): Promise<void> {
    this.used.add(name);
    await mkdir(this.above, { recursive: true, mode: 0o700 });
    await chmod(this.above, 0o700);
    await mkdir(this.pathOf(name), { recursive: true });
    // The users of the container need not be root, or may be others here.
    await chmod(this.pathOf(name), 0o755);
  }

  pathOf(name: string): string {
    return join(this.above, name);
  }

  socketIn(name: string): string {
    return join(this.above, name, SOCKET_NAME);
  }

  async remove(name: string): Promise<void> {
    this.used.delete(name);
    await rm(this.pathOf(name), { recursive: true, force: true });
  }

  /** What earlier processes have left. */
  async unused(): Promise<readonly string[]> {
    const names = await readdir(this.above).catch((fault: NodeJS.ErrnoException) => {
      if (fault.code === 'ENOENT') return [];
      throw fault;
    });
    return names.filter((name) => NAME.test(name) && !this.used.has(name));
  }
}
