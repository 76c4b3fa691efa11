/** `berthgate serve`: from a configuration to a running server, and the signals that change and end it. */

import { setFlagsFromString } from 'node:v8';
import {
  findIncumbent,
  findServiceManager,
  loadDescriptorPassing,
  type ServiceManager,
  takeInheritedSockets,
  takeOver,
} from '../front/listeners/index.ts';
import { ConfigRefused, type LoadedConfig } from '../operate/config/index.ts';
import { type OpenLog, openLog } from '../operate/signals/index.ts';
import { readConfiguration, reasonsNotToServe } from './configuration.ts';
import type { AddCommand } from './program.ts';
import { handOverPath, Instance } from './serve/instance.ts';
import type { DockerHost } from './serve/listening.ts';
import { openStateFolder } from './serve/state-folder.ts';
import { Upgrade } from './serve/upgrade.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
Without a file: one unix socket ($XDG_RUNTIME_DIR/berthgate/docker.sock, as root /run/berthgate/docker.sock), the engine
of DOCKER_HOST or the default socket, authentication "peer", namespace "{user}", policy "conservative".

Prints the line "export DOCKER_HOST=…" for each listener on standard output; the log goes to standard error.

Signals:
  SIGHUP          read the configuration and the certificates again, and open the audit anew; a bad configuration is
                  refused, the old one stays
  SIGUSR2         upgrade: start the program as it is on the disk now, with --take-over
  SIGTERM SIGINT  take no new calls, let running ones end for shutdown.grace, then end; a second one ends at once

Upgrades: berthgate serve --take-over takes the sockets of the process that serves with the same state. No connection is
refused meanwhile; the old process keeps its running streams, without limit, and ends with the last of them.

Examples:
  berthgate serve --config /etc/berthgate/berthgate.yaml
  berthgate serve --config /etc/berthgate/berthgate.yaml --take-over

Exit codes: 0 ended as told to, 1 it failed, 2 wrong usage.`;

interface ServeOptions {
  readonly config?: string;
  readonly takeOver?: true;
}

export const serve: AddCommand = (program, terminal) => {
  program
    .command('serve')
    .summary('run the proxy')
    .description('Runs the proxy until it is told to end.')
    .option('-c, --config <file>', 'the configuration, YAML')
    .option('--take-over', 'take the sockets of the process that serves now')
    .addHelpText('after', help)
    .action((options: ServeOptions) => runServer(options, terminal));
};

/**
 * All that belongs to a call is dead a moment later. V8 takes a burst of calls for long-lived objects and makes the next
 * ones old from birth; each dead old one then keeps younger ones, and collecting them takes half of the time.
 */
function keepYoungObjectsYoung(): void {
  setFlagsFromString('--no-allocation-site-pretenuring');
}

async function runServer(options: ServeOptions, terminal: Terminal): Promise<void> {
  keepYoungObjectsYoung();
  const loaded = await readConfiguration(options.config, terminal);
  refuseToServe(loaded);
  const { state, log: logging } = loaded.config;
  const opened = openLog(logging);
  try {
    const inherited = takeInheritedSockets(process.env, process.pid);
    await openStateFolder(state, terminal.uid);
    const passing = await loadDescriptorPassing();
    process.on('uncaughtException', endAfterFault(opened));
    const manager = findServiceManager(process.env, passing, ({ message: reason }) =>
      opened.log.warn({ reason }, 'the service manager cannot be told'),
    );
    const upgrade = new Upgrade(opened.log, manager?.environment ?? {});
    const instance = new Instance({
      log: opened,
      inherited,
      passing,
      manager,
      // Before we end, or the manager would take it for the end of the service.
      onTaken: () => {
        if (upgrade.pid !== null) manager?.tell(`MAINPID=${upgrade.pid}`);
      },
      program: [process.execPath, ...process.argv.slice(1, 2)],
    });
    await startInstance(instance, loaded, options, passing);
    const ended = untilEnd({ instance, loaded, options, opened, terminal, manager, upgrade });
    manager?.tell('READY=1');
    // In one piece: whoever waits for the first line finds all of them, and may send a signal at once.
    terminal.out(
      instance
        .dockerHosts()
        .map((one) => `${exportLine(one)}\n`)
        .join(''),
    );
    await ended;
  } catch (fault) {
    throw fault instanceof ConfigRefused || fault instanceof CommandFailed
      ? new CommandFailed(fault.message)
      : new CommandFailed(`berthgate: ${(fault as Error).message}`);
  } finally {
    await opened.close();
  }
}

function refuseToServe(loaded: LoadedConfig): void {
  const reasons = reasonsNotToServe(loaded);
  if (reasons.length > 0) throw new CommandFailed(reasons.join('\n'));
}

/** To paste into a shell. */
function exportLine({ listener, dockerHost, tls }: DockerHost): string {
  const quoted = /^[\w:/.@%+,=[\]-]+$/.test(dockerHost) ? dockerHost : `'${dockerHost.replaceAll("'", `'\\''`)}'`;
  return `export DOCKER_HOST=${quoted}${tls ? ' DOCKER_TLS_VERIFY=1' : ''}  # ${listener}`;
}

/** Nobody knows what holds after it: the calls that run are lost, and the service manager starts us anew. */
function endAfterFault({ log, close }: OpenLog): (fault: unknown) => void {
  return (fault) => {
    log.fatal({ err: fault }, 'a fault of Berthgate itself; ending');
    void close().then(() => process.exit(1));
  };
}

async function startInstance(
  instance: Instance,
  loaded: LoadedConfig,
  options: ServeOptions,
  passing: Awaited<ReturnType<typeof loadDescriptorPassing>>,
): Promise<void> {
  const path = handOverPath(loaded.config.state);
  if (options.takeOver !== true) {
    const incumbent = await findIncumbent(path);
    if (incumbent === null) return instance.start(loaded, null);
    throw new CommandFailed(
      `berthgate: another one (pid ${incumbent.pid}, version ${incumbent.version}) serves with the state ${loaded.config.state}: ` +
        'end it, say another `state`, or take its sockets over with --take-over',
    );
  }
  if (passing === null) {
    throw new CommandFailed(
      'berthgate: --take-over needs the optional dependency koffi, which is not there; with sockets of the service manager (fd://) a restart refuses no connection either',
    );
  }
  const taken = await takeOver(path, passing);
  try {
    await instance.start(loaded, taken);
  } catch (fault) {
    await taken?.giveUp();
    throw fault;
  }
}

interface Serving {
  readonly instance: Instance;
  readonly loaded: LoadedConfig;
  readonly options: ServeOptions;
  readonly opened: OpenLog;
  readonly terminal: Terminal;
  readonly manager: ServiceManager | null;
  readonly upgrade: Upgrade;
}

async function untilEnd({ instance, loaded, options, opened, terminal, manager, upgrade }: Serving): Promise<void> {
  const { log, close } = opened;
  let current = loaded;
  let asked = false;
  const reload = (): void => {
    instance.reopenAudit();
    const reloaded = async (): Promise<void> => {
      const next = await readConfiguration(options.config, terminal);
      refuseToServe(next);
      await instance.reload(next);
      if (next.config.state !== current.config.state) log.warn('another state counts from the next start on');
      if (next.config.log.format !== current.config.log.format)
        log.warn('another log.format counts from the next start on');
      log.level = next.config.log.level;
      current = next;
    };
    const main = instance.takenOver ? null : manager;
    main?.tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
    reloaded()
      .then(
        () => log.info('configuration read again'),
        (fault: Error) =>
          log.error({ faults: fault.message.split('\n') }, 'the new configuration is refused; the old one stays'),
      )
      .finally(() => main?.tell('READY=1'));
  };
  const stop = (signal: NodeJS.Signals): void => {
    if (asked) {
      log.warn({ signal, connections: instance.connections() }, 'ending at once');
      void close().then(() => process.exit(1));
      return;
    }
    asked = true;
    if (instance.takenOver) {
      log.info({ signal, connections: instance.connections() }, 'running streams are kept; a second signal ends them');
    } else {
      manager?.tell('STOPPING=1');
      void instance.drain(current.config.shutdown.grace);
    }
  };
  const begin = (): void => {
    if (instance.takenOver || asked) log.warn('no upgrade: it has been taken over, or ends');
    else upgrade.begin(() => !instance.takenOver && !asked);
  };
  process.on('SIGHUP', reload);
  process.on('SIGUSR2', begin);
  process.on('SIGTERM', stop);
  process.on('SIGINT', stop);
  await instance.end;
  process.off('SIGHUP', reload);
  process.off('SIGUSR2', begin);
  process.off('SIGTERM', stop);
  process.off('SIGINT', stop);
  log.info('ended');
}
