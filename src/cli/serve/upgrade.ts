/** An upgrade that the process that serves begins itself: the program as it lies on the disk now is started, and takes over. */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Log } from '../../operate/signals/index.ts';

const TAKE_OVER = '--take-over';

export class Upgrade {
  private readonly log: Log;
  /** What the process that comes needs of ours that is not in it any more. */
  private readonly environment: NodeJS.ProcessEnv;
  private child: ChildProcess | null = null;

  constructor(log: Log, environment: NodeJS.ProcessEnv) {
    this.log = log;
    this.environment = environment;
  }

  /** Of the process that is about to take over, or has. */
  get pid(): number | null {
    return this.child?.pid ?? null;
  }

  /**
   * With the words that this process was started with. `serves`: whether this one does, and is told to go on: who has taken
   * over may end whenever it wants.
   */
  begin(serves: () => boolean): void {
    if (this.child !== null) {
      this.log.warn({ pid: this.pid }, 'an upgrade has begun already');
      return;
    }
    const words = process.argv.slice(1).filter((word) => word !== TAKE_OVER);
    const args = [...process.execArgv, ...words, TAKE_OVER];
    const env = { ...process.env, ...this.environment };
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'inherit', 'inherit'], env });
    this.child = child;
    const failed = (facts: object): void => {
      this.child = null;
      if (serves()) this.log.error(facts, 'the new process has ended; this one serves on');
      else this.log.info(facts, 'the new process has ended');
    };
    child.on('error', ({ message: reason }) => failed({ reason }));
    child.on('exit', (code, signal) => failed({ code, signal }));
    child.unref();
    this.log.info({ pid: child.pid }, 'a new process has been started to take over');
  }
}
