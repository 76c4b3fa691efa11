/** `berthgate firewall`: the table that keeps the networks of namespaces apart, by hand. */

import { DockerEngine } from '../engines/docker-engine.ts';
import { applyScript } from '../engines/nft.ts';
import { LiveEngineDesk } from '../exchange/engine-desk.ts';
import type { Config } from '../operate/config/index.ts';
import { EngineTraffic, Firewall, firewallScript, removeScript, TABLE } from '../rules/namespaces/index.ts';
import { ReadBuffers } from '../wire/read-buffers.ts';
import { readConfiguration } from './configuration.ts';
import type { AddCommand } from './program.ts';
import { openingsOf, saidAddresses } from './serve/cache-addresses.ts';
import { isHere, notHere, settingsFor } from './serve/firewall.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
The table (nftables, "inet berthgate") stands before the address translation of the engine. What comes out of a network
of a namespace reaches its own published ports, the name servers of the host and what firewall.open names; nothing else
of the host, no network of another namespace, no metadata of a cloud. It touches no chain of Docker's.

berthgate serve keeps it by itself, as root or with CAP_NET_ADMIN, for engines on its host, and puts it back within
seconds: apply is for where serve may not, or the engine is on another host (run it there, each time that networks or
ports have changed).
remove is for when no serve keeps it any more (firewall.apply: false).

Examples:
  berthgate firewall print --config /etc/berthgate/berthgate.yaml
  berthgate firewall apply --config /etc/berthgate/berthgate.yaml --json
  berthgate firewall remove

Exit codes: 0 done, 1 it failed, 2 wrong usage.`;

interface FirewallOptions {
  readonly config?: string;
  readonly json?: boolean;
}

export const firewall: AddCommand = (program, terminal) => {
  const command = program
    .command('firewall')
    .summary('print, apply or remove the firewall of namespaces')
    .description('The table in the packet filter of this host that keeps the networks of namespaces apart.')
    .addHelpText('after', help);
  const add = (name: string, description: string, action: (options: FirewallOptions) => Promise<void>): void => {
    command
      .command(name)
      .summary(description)
      .description(`${description.charAt(0).toUpperCase()}${description.slice(1)}.`)
      .option('-c, --config <file>', 'the configuration, YAML')
      .option('--json', 'print JSON')
      .addHelpText('after', help)
      .action(action);
  };
  add('print', 'print the table as a script for nft, and change nothing', (options) => print(options, terminal));
  add('apply', 'ask the engines of this host, and make the table as it has to be', (options) =>
    apply(options, terminal),
  );
  add('remove', 'remove the table with all that it holds', (options) => remove(options, terminal));
  for (const each of command.commands) each.copyInheritedSettings(program);
};

async function print(options: FirewallOptions, terminal: Terminal): Promise<void> {
  await withEngines(options, terminal, async (settings, engines) => {
    const script = firewallScript(
      await settings.openings(),
      settings.engines.flatMap(({ traffic }) => traffic ?? []),
    );
    terminal.out(options.json ? `${JSON.stringify({ table: TABLE, engines, script })}\n` : script);
  });
}

async function apply(options: FirewallOptions, terminal: Terminal): Promise<void> {
  await withEngines(options, terminal, async (settings, engines) => {
    const kept = new Firewall({ ...settings, onPutBack: () => {}, onTurn: () => {} });
    await kept.change();
    const missing = await kept.missing();
    if (missing.length > 0) throw new CommandFailed(missing.map((reason) => `berthgate: ${reason}`).join('\n'));
    const said = engines.map((one) => `engine ${one.name}: ${one.networks} networks, ${one.ports} published ports\n`);
    terminal.out(options.json ? `${JSON.stringify({ table: TABLE, engines })}\n` : said.join(''));
  });
}

async function remove({ json }: FirewallOptions, terminal: Terminal): Promise<void> {
  try {
    await applyScript(removeScript());
  } catch (fault) {
    throw new CommandFailed(`berthgate: ${(fault as Error).message}`);
  }
  if (json) terminal.out(`${JSON.stringify({ table: TABLE, removed: true })}\n`);
}

interface Told {
  readonly name: string;
  /** Networks that the table holds for. */
  readonly networks: number;
  readonly ports: number;
}

/** Asks every engine that listeners with a namespace use. */
async function withEngines(
  { config: file }: FirewallOptions,
  terminal: Terminal,
  work: (settings: ReturnType<typeof settingsFor>, engines: readonly Told[]) => Promise<void>,
): Promise<void> {
  const { config } = await readConfiguration(file, terminal);
  const names = namespacedEngines(config);
  const buffers = new ReadBuffers();
  const engines = config.engines
    .filter(({ name }) => names.has(name))
    .map(({ name, url, tls }) => {
      if (!isHere(config, name)) throw new CommandFailed(`berthgate: ${notHere(name)}`);
      return new DockerEngine({ name, url, tls, buffers });
    });
  if (engines.length === 0) throw new CommandFailed('berthgate: no listener has a namespace');
  try {
    const settings = settingsFor(
      config,
      engines.map((engine) => ({ traffic: new EngineTraffic(new LiveEngineDesk(engine)) })),
      () => openingsOf(saidAddresses(config)),
    );
    const told: Told[] = [];
    for (const traffic of settings.engines) {
      await traffic.readNow(settings.heldNames);
      const { bridges = [], ports = [] } = traffic.traffic ?? {};
      told.push({ name: traffic.name, networks: bridges.filter(({ held }) => held).length, ports: ports.length });
    }
    await work(settings, told);
  } catch (fault) {
    throw fault instanceof CommandFailed ? fault : new CommandFailed(`berthgate: ${(fault as Error).message}`);
  } finally {
    for (const engine of engines) engine.close();
  }
}

function namespacedEngines({ engines, listeners }: Config): ReadonlySet<string> {
  const [first] = engines;
  const used = listeners.filter(({ namespace }) => namespace !== null);
  return new Set(used.map(({ engine }) => engine ?? (first?.name as string)));
}
