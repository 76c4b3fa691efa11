/**
 * Runs a docker command line against a socket of our own that explains every call instead of forwarding it, and answers
 * with the smallest answer that the endpoint could give.
 */

import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sampleId, sampleOf } from '../../docker/sample.ts';
import { table } from '../../docker/table.ts';
import { versionHeader } from '../../docker/version-answer.ts';
import { answerRefusal, asRefusal, renderFault } from '../../exchange/answer-refusal.ts';
import { type Circumstances, type Explanation, explainCall } from '../../exchange/explain-call.ts';
import { printJson } from '../../ground/json.ts';
import { type Exchange, InboundConnection } from '../../wire/inbound.ts';
import { ReadBuffers } from '../../wire/read-buffers.ts';

const LIMITS = { headBytes: 64 * 1024, headers: 200, headTimeoutMs: 10_000, bodyTimeoutMs: 60_000 };
const JSON_BYTES = 8 * 1024 * 1024;

/** What was made here is there for the calls that follow, made as its create was let pass. */
function withSamples(circumstances: Circumstances): Circumstances {
  const { lookUp } = circumstances.context;
  return {
    ...circumstances,
    context: {
      lookUp: async (endpointId, parameters) => {
        const shape = table.find(({ id }) => id === endpointId)?.answer.shape;
        const made = Object.values(parameters).includes(sampleId);
        return made && shape !== undefined ? sampleOf(shape) : lookUp(endpointId, parameters);
      },
    },
  };
}

/** Tells `heard` of each call as it comes. Gives the exit code of the command. */
export async function askDocker(
  command: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
  circumstances: Circumstances,
  heard: (method: string, target: string, told: Explanation | Error) => void,
): Promise<number> {
  const folder = await mkdtemp(join(tmpdir(), 'berthgate-explain-'));
  const socket = join(folder, 'docker.sock');
  const buffers = new ReadBuffers();
  const sampled = withSamples(circumstances);
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (client) => {
    new InboundConnection(client, {
      limits: LIMITS,
      buffers,
      renderFault,
      handler: (exchange) => void tell(exchange, sampled, heard),
    });
  });
  try {
    await new Promise<void>((resolve) => server.listen(socket, resolve));
    return await runCommand(command, { ...env, DOCKER_HOST: `unix://${socket}` });
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
}

async function tell(
  exchange: Exchange,
  circumstances: Circumstances,
  heard: (method: string, target: string, told: Explanation | Error) => void,
): Promise<void> {
  const { method, target, framing } = exchange.head;
  try {
    const body = framing.kind === 'none' ? '' : (await exchange.readBody(JSON_BYTES)).toString();
    const explanation = await explainCall({ method, target, data: body === '' ? null : body }, circumstances);
    heard(method, target, explanation);
    if (explanation.refusal !== null) answerRefusal(exchange, explanation.refusal, []);
    else answerSample(exchange, explanation, circumstances.api.newest);
  } catch (fault) {
    const refusal = asRefusal(fault);
    heard(method, target, refusal);
    answerRefusal(exchange, refusal, []);
  }
}

function answerSample(exchange: Exchange, { endpoint }: Explanation, newest: number): void {
  const headers = [versionHeader, `1.${newest}`];
  const { travel, shape } = endpoint.answer;
  switch (travel) {
    case 'json':
      headers.push('Content-Type', 'application/json');
      exchange.answer({ status: 200, reason: 'OK', headers }, printJson(shape === undefined ? {} : sampleOf(shape)));
      return;
    case 'hijack': {
      const end = exchange.upgrade({ status: 101, reason: 'UPGRADED', headers }, exchange.head.upgrade ?? 'tcp');
      end.channel.end();
      end.channel.resume();
      return;
    }
    default:
      exchange.answer({ status: travel === 'none' ? 204 : 200, reason: '', headers }, travel === 'none' ? null : '');
  }
}

function runCommand(
  [program, ...args]: readonly string[],
  env: Readonly<Record<string, string | undefined>>,
): Promise<number> {
  return new Promise((resolve, reject) => {
    const child = spawn(program ?? 'docker', args, { env, stdio: ['inherit', 'ignore', 'inherit'] });
    child.on('error', reject);
    child.on('close', (code) => resolve(code ?? 1));
  });
}
