/** The firewall of the engines that are on this host, made of what the configuration says. */

import { readFile } from 'node:fs/promises';
import { isIP } from 'node:net';
import type { FirewallReadiness } from '../../operate/admin/admin-server.ts';
import type { Config, EngineConfig } from '../../operate/config/index.ts';
import type { Log } from '../../operate/signals/index.ts';
import { type EngineSide, Firewall, type FirewallOptions } from '../../rules/namespaces/index.ts';

/** Where an engine finds the name servers of its host: the second one where the first names systemd's own alone. */
const RESOLVER_FILES = ['/etc/resolv.conf', '/run/systemd/resolve/resolv.conf'];
const DNS = 53;

export class HostFirewall {
  private readonly log: Log;
  /** What of ours containers must reach, as it is now. */
  private readonly own: () => readonly Opening[];
  private kept: { readonly said: string; readonly firewall: Firewall } | null = null;
  private required = false;
  /** Of engines that no table here can hold for. */
  private elsewhere: readonly string[] = [];

  constructor(log: Log, own: () => readonly Opening[]) {
    this.log = log;
    this.own = own;
  }

  /** For these engines. The table of before stays as long as nothing here changes it. */
  keep(config: Config, sides: readonly EngineSide[]): void {
    const wanted = config.firewall.apply !== false && sides.length > 0;
    const names = sides.map(({ desk }) => desk.name);
    const said = wanted ? JSON.stringify([settingsOf(config), names, config.engines]) : '';
    if (said === (this.kept?.said ?? '')) return;
    this.end();
    if (!wanted) return;
    this.required = config.firewall.apply === true;
    const here = sides.filter(({ desk }) => isHere(config, desk.name));
    this.elsewhere = names.filter((name) => !isHere(config, name)).map(notHere);
    for (const reason of this.elsewhere) this.log.warn({ reason }, 'firewall: missing');
    const firewall = new Firewall({
      ...settingsFor(config, here, this.own),
      onPutBack: (what) => this.log.warn({ what }, 'firewall: somebody had changed it; it is put back'),
      onTurn: (missing) => {
        if (missing.length === 0) this.log.info('firewall: in place');
        else this.log.warn({ missing }, 'firewall: missing; what namespaces publish can be reached by others');
      },
    });
    this.kept = { said, firewall };
    if (here.length > 0) firewall.start();
  }

  /** Undefined where there is nothing to keep apart. */
  async readiness(): Promise<FirewallReadiness | undefined> {
    if (this.kept === null) return undefined;
    const missing = [...this.elsewhere, ...(await this.kept.firewall.missing())];
    return { inPlace: missing.length === 0, required: this.required, missing };
  }

  /** The table stays: containers go on without us. */
  end(): void {
    this.kept?.firewall.end();
    this.kept = null;
    this.elsewhere = [];
  }
}

/** Whether the engine may be on this host; what its bridges are, it tells itself. */
export function isHere({ engines }: Config, name: string): boolean {
  const url = engines.find((engine) => engine.name === name)?.url;
  return url?.kind === 'unix' || (url !== undefined && isLoopback(url));
}

export function notHere(name: string): string {
  return `engine ${name}: is on another host, where \`berthgate firewall apply\` has to be run`;
}

type Settings = Pick<FirewallOptions, 'engines' | 'heldNames' | 'openings' | 'required'>;

interface Opening {
  readonly address: string;
  readonly port: number;
}

export function settingsFor(
  config: Config,
  sides: readonly Pick<EngineSide, 'traffic'>[],
  own: () => readonly Opening[],
): Settings {
  const { heldNames, refuse, open, required } = settingsOf(config);
  return {
    engines: sides.map(({ traffic }) => traffic),
    heldNames,
    required,
    openings: async () => ({ refuse, open: [...open, ...own(), ...(await nameServers())] }),
  };
}

function settingsOf({ firewall, listeners }: Config) {
  const { apply, open, refuse, networks } = firewall;
  return {
    required: apply === true,
    heldNames: [...networks, ...listeners.flatMap((listener) => listener.networks?.shared ?? [])],
    refuse: refuse.map(({ address, prefix }) => `${address}/${prefix}`),
    open: open.map(({ host, port }) => ({ address: host, port })),
  };
}

/** Docker's own name server asks those of the host from within the container. */
async function nameServers(): Promise<readonly Opening[]> {
  const texts = await Promise.all(RESOLVER_FILES.map((file) => readFile(file, 'utf8').catch(() => '')));
  const found = texts.flatMap((text) => [...text.matchAll(/^nameserver\s+(\S+)/gm)].map(([, address = '']) => address));
  // A container's loopback is not the host's; a link-local address with a zone means nothing in a container.
  const reachable = found.filter((address) => isIP(address) !== 0 && !/^(127\.|::1$|fe80:)/i.test(address));
  return [...new Set(reachable)].map((address) => ({ address, port: DNS }));
}

function isLoopback({ host }: Extract<EngineConfig['url'], { kind: 'tcp' }>): boolean {
  return host === 'localhost' || host === '::1' || host.startsWith('127.');
}
