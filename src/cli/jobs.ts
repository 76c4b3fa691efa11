/** `berthgate jobs`: the temporary namespaces that live, and the end of one. */

import { Readable } from 'node:stream';
import { InvalidArgumentError } from 'commander';
import { isJobId } from '../jobs/job-id.ts';
import type { JobSummary } from '../operate/admin/jobs-api.ts';
import { askRunning, DEFAULT_SOCKET } from './ask-running.ts';
import { followRemoval } from './follow-removal.ts';
import type { AddCommand } from './program.ts';
import { withEngine } from './run/direct.ts';
import { jobAdministration } from './serve/job-administration.ts';
import { printTable } from './table.ts';
import { CommandFailed, type Terminal } from './terminal.ts';

const help = `
A job is a temporary namespace: of a container with a socket of its own, which ends with the container, or of a command
under berthgate run. Asks the server that runs, over its admin socket (admin.url); with --direct the engine itself, which
is that of DOCKER_HOST or of the configuration: for jobs of berthgate run where there is no server.

rm cuts whoever speaks for the job, and removes every container, network, volume and image of it. It waits for an engine
that is down. Interrupted, it is run again and goes on with what is left. The container that the job was for stays, and its
socket answers every call with a refusal that says so, until the container is started again: then it has a new, empty job.

States: lives; ending; ended (what is left of it is about to go); kept (berthgate run --keep); unknown (nobody here can tell
whether its process lives: it was begun at another machine, or by another user).

Examples:
  berthgate jobs
  berthgate jobs list --json
  berthgate jobs rm j-0123456789abcdef0123
  berthgate jobs rm j-0123456789abcdef0123 --direct

Exit codes: 0 done, 1 it failed, or something is left, 2 wrong usage.`;

interface Options {
  readonly config?: string;
  readonly socket?: string;
  readonly direct?: true;
  readonly json?: true;
}

export const jobs: AddCommand = (program, terminal) => {
  const command = program
    .command('jobs')
    .summary('list and end jobs')
    .description('Lists and ends jobs: temporary namespaces.')
    .addHelpText('after', help);
  const asking = (name: string, summary: string, description: string, isDefault: boolean) =>
    command
      .command(name, { isDefault })
      .summary(summary)
      .description(description)
      .option('-c, --config <file>', 'the configuration that names the admin socket, or the engine')
      .option('-s, --socket <path>', `the admin socket itself (default: ${DEFAULT_SOCKET})`)
      .option('-d, --direct', 'ask the engine itself: no server need be running')
      .option('--json', 'print JSON')
      .addHelpText('after', help);
  asking('list', 'list the jobs that there are', 'Lists jobs, with what each holds.', true).action(
    async (options: Options) => {
      const listed = await list(options, terminal);
      terminal.out(options.json ? `${JSON.stringify(listed)}\n` : printList(listed, Date.now()));
    },
  );
  asking('rm', 'end a job', 'Ends a job, and removes everything that was made in it.', false)
    .argument('<job>', 'the job', readJob)
    .action((job: string, options: Options) => remove(job, options, terminal));
  for (const each of command.commands) each.copyInheritedSettings(program);
};

async function list(options: Options, terminal: Terminal): Promise<readonly JobSummary[]> {
  if (options.direct)
    return withEngine(options.config, terminal, (on) => jobAdministration(() => [on]).list()).catch(fail);
  const { body } = await askRunning(options, terminal, 'GET', '/api/jobs');
  return (JSON.parse(await body.text()) as { readonly jobs: readonly JobSummary[] }).jobs;
}

async function remove(job: string, options: Options, terminal: Terminal): Promise<void> {
  const asJson = options.json === true;
  if (!options.direct) {
    const { body } = await askRunning(options, terminal, 'DELETE', `/api/jobs/${job}`);
    return followRemoval(body.lines(), job, asJson, terminal);
  }
  await withEngine(options.config, terminal, async (on) => {
    const administration = jobAdministration(() => [on]);
    if (!(await administration.list()).some((one) => one.job === job)) throw new Error(`no job ${job}`);
    const lines = new Readable({ objectMode: true, read: () => {} });
    administration
      .remove(job, (line) => void lines.push(JSON.stringify(line)), new AbortController().signal)
      .then(
        () => lines.push(null),
        (fault: Error) => lines.destroy(fault),
      );
    await followRemoval(lines, job, asJson, terminal);
  }).catch(fail);
}

function fail(fault: Error): never {
  throw fault instanceof CommandFailed ? fault : new CommandFailed(`berthgate: ${fault.message}`);
}

function printList(all: readonly JobSummary[], nowMs: number): string {
  const rows = all.map((one) => [
    one.job,
    one.engine,
    one.owner === '' ? '-' : one.owner,
    one.holder,
    one.state,
    one.began === null ? '-' : age(nowMs - Date.parse(one.began)),
    String(one.containers),
    String(one.networks),
    String(one.volumes),
    String(one.images),
  ]);
  const head = ['JOB', 'ENGINE', 'OWNER', 'HELD BY', 'STATE', 'AGE', 'CONTAINERS', 'NETWORKS', 'VOLUMES', 'IMAGES'];
  return printTable(head, rows);
}

function age(ms: number): string {
  const minutes = Math.floor(ms / 60_000);
  if (minutes < 1) return `${Math.max(0, Math.floor(ms / 1000))}s`;
  return minutes < 120 ? `${minutes}m` : `${Math.floor(minutes / 60)}h`;
}

function readJob(text: string): string {
  if (!isJobId(text)) throw new InvalidArgumentError('It must be a job, as j-0123456789abcdef0123.');
  return text;
}
