/** Sockets of containers that outlive a process: what was there before us has left them, and the service manager keeps them. */

import type net from 'node:net';
import { closeDescriptor, type ServiceManager } from '../../front/listeners/index.ts';

/** What they are called by the service manager and in the hand-over begins so. */
const OF_JOBS = 'job-';

export class KeptSockets {
  private readonly manager: ServiceManager | null;
  /** Of the service manager, by name. */
  private readonly inherited: Map<string, readonly number[]>;
  private taken: Map<string, number[]> = new Map();

  /** `inherited` loses those that are of jobs. */
  constructor(manager: ServiceManager | null, inherited: Map<string, readonly number[]>) {
    this.manager = manager;
    this.inherited = new Map([...inherited].filter(([name]) => name.startsWith(OF_JOBS)));
    for (const name of this.inherited.keys()) inherited.delete(name);
  }

  /** What the process before us has handed over. */
  takeFrom(byKey: Map<string, number[]>): void {
    this.taken = byKey;
  }

  nameOf(folder: string): string {
    return `${OF_JOBS}${folder}`;
  }

  /** Descriptors that listen already. */
  ready(folder: string): readonly number[] {
    const name = this.nameOf(folder);
    const inherited = this.inherited.get(name) ?? [];
    this.inherited.delete(name);
    const taken = this.taken.get(name)?.splice(0) ?? [];
    if (taken.length === 0) return inherited;
    for (const fd of inherited) void closeDescriptor(fd);
    return taken;
  }

  keep(folder: string, servers: readonly net.Server[]): void {
    for (const server of servers) this.manager?.keep(this.nameOf(folder), server);
  }

  drop(folder: string): void {
    this.manager?.drop(this.nameOf(folder));
  }

  /** Those of containers that are no more. */
  async dropRest(): Promise<void> {
    for (const [name, descriptors] of this.inherited) {
      this.manager?.drop(name);
      for (const fd of descriptors) await closeDescriptor(fd);
    }
    this.inherited.clear();
  }
}
