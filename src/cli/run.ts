/** `berthgate run -- COMMAND`: a Docker of its own for one command, gone when the command is. */

import { constants } from 'node:os';
import type { EndStep, JobEnd } from '../jobs/process-jobs.ts';
import { ConfigRefused } from '../operate/config/index.ts';
import { openLog } from '../operate/signals/index.ts';
import type { AddCommand } from './program.ts';
import { environmentFor, runCommand } from './run/child.ts';
import { type JobConfigOptions, readJobConfig } from './run/job-config.ts';
import { Session } from './run/session.ts';
import { openStateFolder } from './serve/state-folder.ts';
import { CommandEnded, type Terminal } from './terminal.ts';

const help = `
The command gets a DOCKER_HOST of its own: a private socket to a temporary namespace on the engine of DOCKER_HOST, or of
/var/run/docker.sock. docker, docker compose, docker buildx and Testcontainers work as always, under the names that they
use, beside everything else on the engine, and see nothing of it. When the command ends, everything goes that was made:
containers, networks, volumes, images, builds under way; what the engine had before is as it was.

That holds at Ctrl-C and SIGTERM too, which the command gets first; and where berthgate itself was killed, the next start
of any berthgate, run or serve, ends the job. No server need be running.

Without --config there is no policy: whoever can open the engine's socket is root on its machine already. With it, engines,
registries and outbound are those of the file, and of the listener that --listener names its policies, limits, ports,
networks and builds.

Published ports are at 127.0.0.1. The command's environment has BERTHGATE_JOB, the name of the job, which is the label
berthgate.job of all that it makes.

Examples:
  berthgate run -- docker compose up --abort-on-container-exit
  berthgate run -- npm test
  berthgate run --config /etc/berthgate/berthgate.yaml --listener people -- sh -c 'docker build -t app . && docker run app'
  berthgate run --keep -- ./test.sh

Exit codes: the command's own; 128 and the number of the signal that ended it, 126 where it cannot be run, 127 where it is
not found; 125 where berthgate failed, or something is left on the engine; 2 wrong usage.`;

const OWN_FAULT = 125;
/** Who waits so long is told what for. */
const SILENT_MS = 2000;

interface RunOptions extends JobConfigOptions {
  readonly keep?: true;
}

export const run: AddCommand = (program, terminal) => {
  program
    .command('run')
    .summary('run a command with a Docker of its own')
    .description('Runs a command with a Docker of its own, which is gone when the command has ended.')
    .argument('<command...>', 'the command, with its arguments')
    .option('-c, --config <file>', 'a configuration: its engine, registries and outbound')
    .option('-l, --listener <name>', 'the listener whose policies and limits hold')
    .option('-k, --keep', 'keep what was made, and say how to look at it and how to remove it')
    .passThroughOptions()
    .addHelpText('after', help)
    .action((command: readonly string[], options: RunOptions) => runWithDocker(command, options, terminal));
};

async function runWithDocker(command: readonly string[], options: RunOptions, terminal: Terminal): Promise<never> {
  const loaded = await readJobConfig(options, terminal);
  const log = openLog(loaded.config.log);
  const say = (text: string): void => terminal.err(`berthgate: ${text}\n`);
  try {
    const session = await beginSession({ loaded, keep: options.keep === true, log }, terminal);
    const code = await runCommand(command, environmentFor(session.socket, session.job, terminal.env), say);
    const end = await endSession(session, say);
    if (options.keep === true) say(keptText(session.job));
    throw new CommandEnded(end === null || end.left.length === 0 ? code : OWN_FAULT);
  } catch (fault) {
    if (fault instanceof CommandEnded) throw fault;
    say(fault instanceof ConfigRefused ? fault.message : (fault as Error).message);
    throw new CommandEnded(OWN_FAULT);
  } finally {
    await log.close();
  }
}

async function beginSession(options: ConstructorParameters<typeof Session>[0], { uid }: Terminal): Promise<Session> {
  // What has begun is there to be ended: no signal ends us in between.
  let interrupted: NodeJS.Signals | null = null;
  const note = (signal: NodeJS.Signals): void => {
    interrupted = signal;
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, note);
  try {
    await openStateFolder(options.loaded.config.state, uid);
    const session = new Session(options);
    await session.begin();
    if (interrupted === null) return session;
    await session.end(() => {}, new AbortController().signal);
    throw new CommandEnded(128 + constants.signals[interrupted as NodeJS.Signals]);
  } finally {
    for (const signal of signals) process.off(signal, note);
  }
}

/** The second signal leaves the rest to the next start of a Berthgate. */
async function endSession(session: Session, say: (text: string) => void): Promise<JobEnd | null> {
  const given = new AbortController();
  let asked = 0;
  const onSignal = (signal: NodeJS.Signals): void => {
    asked++;
    if (asked === 1) say(`removing what the command has made; a second ${signal} leaves it to the next start`);
    else given.abort(new Error(`left on the engine: ${session.job}; the next start of a berthgate removes it`));
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;
  for (const signal of signals) process.on(signal, onSignal);
  const reasons = new Set<string>();
  let count = 0;
  let silent = true;
  const timer = setTimeout(() => {
    silent = false;
    say(`removing what the command has made (${count} gone)`);
    for (const reason of reasons) say(reason);
  }, SILENT_MS);
  const tell = (step: EndStep): void => {
    if (step.step === 'removed') {
      count++;
      return;
    }
    const reason = `${step.thing === null ? 'the engine' : `${step.thing.kind} ${step.thing.name}`}: ${step.reason}`;
    if (!silent && !reasons.has(reason)) say(reason);
    reasons.add(reason);
  };
  try {
    const end = await session.end(tell, given.signal);
    for (const { thing, reason } of end?.left ?? []) say(`left: ${thing.kind} ${thing.name}: ${reason}`);
    return end;
  } finally {
    clearTimeout(timer);
    for (const signal of signals) process.off(signal, onSignal);
  }
}

function keptText(job: string): string {
  return [
    `kept as ${job}`,
    `  look at it:  docker ps --all --filter label=berthgate.job=${job}   (networks and volumes alike)`,
    `  remove it:   berthgate jobs rm ${job} --direct`,
  ].join('\n');
}
