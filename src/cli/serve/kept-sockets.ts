/** Sockets of containers that outlive a process: what was there before us has left them, and the service manager keeps them. */

import type net from 'node:net';
import { closeDescriptor, type ServiceManager } from '../../front/listeners/index.ts';

/** What they are called by the service manager and in the hand-over begins so. */
const OF_JOBS = 'job-';

export class KeptSockets {
  private readonly manager: ServiceManager | null;
  /** Of the service manager, by name. */
  private readonly inherited: Map<string, readonly number[]>;
  private readonly taken = new Map<string, number[]>();

  /** `inherited` loses those that are of jobs. */
  constructor(manager: ServiceManager | null, inherited: Map<string, readonly number[]>) {
    this.manager = manager;
    this.inherited = new Map([...inherited].filter(([name]) => name.startsWith(OF_JOBS)));
    for (const name of this.inherited.keys()) inherited.delete(name);
  }

  /** What the process before us has handed over: `byKey` loses it, since an engine may be long about saying who needs it. */
  takeFrom(byKey: Map<string, number[]>): void {
    for (const [name, descriptors] of byKey) {
      if (!name.startsWith(OF_JOBS)) continue;
      this.taken.set(name, descriptors);
      byKey.delete(name);
    }
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

  /** Handed over for containers that are no more, which is known now. */
  async closeTaken(): Promise<void> {
    for (const descriptors of this.taken.values()) for (const fd of descriptors.splice(0)) await closeDescriptor(fd);
    this.taken.clear();
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
