/** The cache of a running server, as containers meet it: what listens at its addresses, its CA, and who is pointed there. */

import type net from 'node:net';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { HttpCache, HttpCacheTally, HttpFront, Origins, SiteRules } from '../../cache/http/index.ts';
import {
  AbsenceNotes,
  Accounts,
  Authority,
  CacheFront,
  ContainerTrust,
  type FrontOptions,
  type InterceptionTally,
  ServedContainers,
} from '../../cache/interception/index.ts';
import type { Store } from '../../cache/store.ts';
import { LiveContainerFiles } from '../../exchange/container-files.ts';
import type { Engine } from '../../exchange/engine.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import type { Policy } from '../../exchange/policy.ts';
import { type OpenSocket, openSockets } from '../../front/listeners/index.ts';
import { type Config, ConfigRefused, type LoadedConfig } from '../../operate/config/index.ts';
import type { CacheAccount, Log } from '../../operate/signals/index.ts';
import { WayOut, type WayOutOptions } from '../../wire/way-out.ts';
import { type CacheAddresses, findAddresses, openingsOf, saidAddresses } from './cache-addresses.ts';
import { siteOf } from './site.ts';
import type { Standby } from './standby.ts';

/** An engine that does not tell its addresses, and an address that is not there yet, is tried again. */
const RETRY_MS = 2000;
const START_MS = 3000;
/** So long those wait who make containers before it is known where they are to be pointed. */
const BEGIN_MS = 10_000;
const NOWHERE: CacheAddresses = { address: [], passAddress: [] };

interface Made {
  readonly config: Config;
  readonly site: WayOutOptions;
  readonly authority: Authority | null;
  readonly wayOut: WayOut;
  readonly origins: Origins;
  readonly rules: SiteRules;
  readonly options: FrontOptions;
}

export class Cache {
  private readonly log: Log;
  private readonly standby: Standby;
  private readonly trusts = new Set<ContainerTrust>();
  private desks: readonly EngineDesk[] = [];
  private made: Made | null = null;
  private front: CacheFront | null = null;
  private addresses: CacheAddresses = NOWHERE;
  private readonly open = new Map<string, readonly OpenSocket[]>();
  private retry: NodeJS.Timeout | null = null;
  private mending: NodeJS.Timeout | null = null;
  private fault: string | null = null;
  /** Until it listens for the first time, or cannot; an engine that is not there yet is waited for. */
  private beginning: Promise<void> | null = null;
  private begun = (): void => {};

  /** What HTTP was spoken, whoever it was for. */
  readonly httpTally = new HttpCacheTally();
  private readonly http: HttpFront;
  private readonly keeping: HttpCache;

  private readonly accounts: Accounts;

  /** @param store there wherever the configuration has a cache */
  constructor(log: Log, standby: Standby, store: () => Store | null, onAccount: (account: CacheAccount) => void) {
    this.log = log;
    this.standby = standby;
    this.accounts = new Accounts(onAccount);
    const live = (): Made => {
      if (this.made === null) throw new Error('nothing is cached any more');
      return this.made;
    };
    this.keeping = new HttpCache({
      store: () => {
        const found = store();
        if (found === null) throw new Error('there is no store');
        return found;
      },
      origins: () => live().origins,
      tally: this.httpTally,
      onServed: ({ method, url, arrival: { scheme, client } }, kind, bytes) => {
        const hit = this.httpTally.served({ kind, scheme, bytes });
        this.accounts.served(client, { hit, bytes });
        if (log.isLevelEnabled('debug'))
          log.debug({ method, url: `${url.origin}${url.pathname}`, client, kind, bytes }, 'cache: served');
      },
      onFault: ({ url }, what, fault) => {
        const reason = fault instanceof Error ? fault.message : String(fault);
        log.warn({ url: `${url.origin}${url.pathname}`, reason }, `cache: ${what}`);
      },
    });
    this.http = new HttpFront({
      cache: this.keeping,
      origins: () => live().origins,
      rules: () => live().rules,
      onRefused: (host, status) => log.debug({ host, status }, 'cache: refused'),
    });
  }

  get tally(): InterceptionTally | null {
    return this.front?.tally ?? null;
  }

  /** PEM of what containers are to trust; null where nothing is intercepted. */
  roots(): string | null {
    const authority = this.made?.authority ?? null;
    return authority === null ? null : authority.roots.map(({ pem }) => pem).join('');
  }

  /** What containers of namespaces must reach. */
  openings() {
    return openingsOf(this.addresses);
  }

  /** By key, as in the hand-over. */
  sockets(): ReadonlyMap<string, readonly net.Server[]> {
    return new Map([...this.open].map(([key, sockets]) => [key, sockets.map(({ server }) => server)]));
  }

  /** The last policy of a listener that wants it. */
  policyFor(engine: Engine, desk: EngineDesk, state: string): Policy {
    const trust = desk.once('cache trust', () => {
      const roots = () => this.made?.authority?.roots ?? [];
      const notes = new AbsenceNotes(join(state, 'without-ca', encodeURIComponent(desk.name)));
      const made = new ContainerTrust(new LiveContainerFiles(engine), desk, roots, notes);
      this.trusts.add(made);
      return made;
    });
    return new ServedContainers({
      trust,
      log: this.log,
      beginning: () => this.beginning,
      redirection: () => ({
        hosts: this.made?.config.cache?.hosts ?? [],
        addresses: this.reached('address'),
        passAddresses: this.reached('passAddress'),
      }),
    });
  }

  /** @throws ConfigRefused. Nothing changes before `commit`. */
  prepare(
    loaded: LoadedConfig,
    ready: (key: string) => readonly number[],
  ): { readonly commit: (desks: readonly EngineDesk[]) => Promise<void>; readonly discard: () => void } {
    const next = this.make(loaded);
    // Listeners may have clients before it is committed.
    if (next !== null && this.made === null) this.begin();
    return {
      discard: () => {
        if (this.made === null) this.begun();
        next?.authority?.end();
        void next?.wayOut.close();
      },
      commit: async (desks) => {
        const before = this.made;
        this.made = next;
        this.desks = desks;
        before?.authority?.end();
        void before?.wayOut.close();
        if (next === null) {
          this.close();
          return;
        }
        this.accounts.watch(desks);
        this.front ??= new CacheFront(next.options);
        this.front.use(next.options);
        void this.mend();
        // An engine that does not answer keeps nobody waiting.
        await Promise.race([this.listen(ready), pause(START_MS, undefined, { ref: false })]);
      },
    };
  }

  private begin(): void {
    const listens = new Promise<void>((resolve) => {
      this.begun = resolve;
    });
    const beginning = Promise.race([listens, pause(BEGIN_MS, undefined, { ref: false })]).then(() => {
      if (this.beginning === beginning) this.beginning = null;
    });
    this.beginning = beginning;
  }

  /** Another process goes on with the sockets; whoever is connected stays. */
  stopAccepting(): void {
    this.standby.end();
    this.closeSockets();
  }

  private closeSockets(): void {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    for (const sockets of this.open.values()) for (const socket of sockets) socket.close();
    this.open.clear();
    this.http.drain();
  }

  /** Nothing is written into the store after this. */
  async end(): Promise<void> {
    this.close();
    await this.keeping.close();
  }

  /** Containers that were pointed here are passed through from now on. */
  close(): void {
    this.closeSockets();
    this.standby.release();
    this.front?.close();
    this.front = null;
    this.made?.authority?.end();
    void this.made?.wayOut.close();
    this.made = null;
    this.accounts.end();
    this.addresses = NOWHERE;
  }

  /** What a killed process has left of containers; again and again where an engine does not answer. */
  private async mend(): Promise<void> {
    if (this.mending !== null) clearTimeout(this.mending);
    this.mending = null;
    if (this.made === null) return;
    try {
      for (const trust of this.trusts) await trust.mend();
    } catch (fault) {
      this.log.warn({ reason: (fault as Error).message }, 'cache: what a killed process has left is not mended yet');
      if (this.made !== null) this.mending = setTimeout(() => void this.mend(), RETRY_MS).unref();
    }
  }

  private make(loaded: LoadedConfig): Made | null {
    const { config } = loaded;
    const hosts = config.cache?.hosts ?? [];
    if (config.cache === null || hosts.length === 0) return null;
    for (const [index, { host }] of hosts.entries()) {
      if (!/[a-z]/.test(host) || host.includes(':')) {
        const what = 'is an address, which no name leads to: name a host';
        throw new ConfigRefused([loaded.fault(['cache', 'hosts', index], what)]);
      }
    }
    const site = siteOf(loaded);
    const wayOut = new WayOut(site);
    const intercepted = hosts.filter(({ tls }) => tls === 'intercept').map(({ host }) => host);
    const { life: lifeMs, rotate: rotateMs } = config.cache.ca;
    const folder = join(config.state, 'ca');
    const onFault = (fault: Error): void => this.log.error({ reason: fault.message }, 'cache: the CA');
    let authority: Authority | null;
    try {
      authority =
        intercepted.length === 0 ? null : new Authority({ folder, lifeMs, rotateMs, hosts: intercepted }, onFault);
    } catch (fault) {
      void wayOut.close();
      throw new ConfigRefused([loaded.fault(['cache', 'ca'], (fault as Error).message)]);
    }
    const options: FrontOptions = {
      hosts,
      authority,
      http: this.http,
      tunnel: (host, port) => wayOut.tunnel(host, port),
      trusts: (address) => [...this.trusts].every((one) => one.trusts(address)),
      onDistrust: (host, network) =>
        this.log.warn({ host, network }, 'cache: clients refuse our CA; the host is passed through for a while'),
      onFault: (host, fault) => this.log.warn({ host, reason: fault.message }, 'cache: passing through'),
    };
    const origins = new Origins(
      hosts.map(({ host, origin }) => ({ host, origin: origin === null ? null : new URL(origin) })),
      wayOut,
    );
    const rules = new SiteRules(config.cache.rules);
    return { config, site, authority, wayOut, origins, rules, options };
  }

  /** Of the addresses those where somebody listens: nobody is pointed to the others. */
  private reached(kind: keyof CacheAddresses): readonly string[] {
    return this.addresses[kind].filter(
      (address) => this.open.has(keyOf(address, 80)) && this.open.has(keyOf(address, 443)),
    );
  }

  private async listen(ready: (key: string) => readonly number[]): Promise<void> {
    if (this.retry !== null) clearTimeout(this.retry);
    this.retry = null;
    const { made } = this;
    if (made === null) return;
    let fault: string | null = null;
    let isFound = true;
    try {
      this.addresses = await findAddresses(made.config, this.desks);
    } catch (caught) {
      isFound = false;
      this.addresses = saidAddresses(made.config);
      fault = (caught as Error).message;
    }
    const wanted = new Map<string, { readonly host: string; readonly port: number; readonly intercepts: boolean }>();
    for (const [kind, addresses] of Object.entries(this.addresses) as [keyof CacheAddresses, readonly string[]][]) {
      for (const host of addresses) {
        for (const port of [80, 443]) wanted.set(keyOf(host, port), { host, port, intercepts: kind === 'address' });
      }
    }
    for (const [key, sockets] of this.open) {
      if (wanted.has(key)) continue;
      for (const socket of sockets) socket.remove();
      this.open.delete(key);
    }
    const { state } = made.config;
    let standing: Awaited<ReturnType<Standby['take']>> = null;
    try {
      if ([...wanted.keys()].some((key) => !this.open.has(key))) standing = await this.standby.take(state);
      for (const [key, place] of wanted) {
        if (this.open.has(key)) continue;
        const given = ready(key);
        this.open.set(key, await this.openOne(place, given.length > 0 ? given : (standing?.ready(key) ?? [])));
      }
    } catch (caught) {
      fault = (caught as Error).message;
    }
    if (isFound) this.begun();
    const hosts = (made.config.cache?.hosts ?? []).map(({ host }) => host);
    this.standby.keep({ state, hosts, site: made.site }, this.sockets());
    await standing?.served();
    if (fault !== null && fault !== this.fault) this.log.error({ reason: fault }, 'cache');
    if (fault === null && this.fault !== null) this.log.info('cache: listens');
    this.fault = fault;
    if (fault !== null) this.retry = setTimeout(() => void this.listen(() => []), RETRY_MS).unref();
  }

  private openOne(
    { host, port, intercepts }: { readonly host: string; readonly port: number; readonly intercepts: boolean },
    ready: readonly number[],
  ): Promise<readonly OpenSocket[]> {
    return openSockets(
      { kind: 'tcp', host, port },
      {
        access: { mode: 0o600 },
        ready,
        server: { allowHalfOpen: true, pauseOnConnect: true, noDelay: true },
        onConnection: (socket) => {
          if (this.front === null) socket.destroy();
          else if (port === 443) this.front.acceptTls(socket, intercepts);
          else this.front.acceptPlain(socket);
        },
        onFault: (fault) => this.log.warn({ cache: keyOf(host, port), reason: fault.message }, 'cache socket'),
      },
    );
  }
}

function keyOf(host: string, port: number): string {
  return `cache ${host.includes(':') ? `[${host}]` : host}:${port}`;
}
