// The answer that the table itself gives: a sample of what the endpoint says it answers, travelling as it says.
import type { Endpoint } from '../../src/docker/endpoint.ts';
import { printJson } from '../../src/ground/json.ts';
import { frame } from './frames.ts';
import { type FakeRequest, headBytes } from './http-connection.ts';
import { Sampler } from './sample.ts';
import { askSession, echoWebsocket, type SessionAnswer, serveGrpc } from './streams.ts';

/** Enough to fill several reads, and no text. */
export const TAR = Buffer.from(Uint8Array.from({ length: 200_000 }, (_, at) => (at * 7 + (at >> 8)) & 0xff));
export const FRAMES = Buffer.concat([frame(1, Buffer.from('out\n')), frame(2, Buffer.from('err\n')), frame(1, TAR)]);
export const GREETING = 'hijacked\n';

export function sampleAnswer(endpoint: Endpoint): string {
  return `${printJson(new Sampler().value(endpoint.answer.shape ?? { kind: 'any', marks: [] }))}\n`;
}

export function sampleLines(endpoint: Endpoint): string {
  const sampler = new Sampler(' ä "quoted"');
  const shape = endpoint.answer.shape ?? { kind: 'any', marks: [] };
  return [1, 2, 3].map(() => `${printJson(sampler.value(shape))}\r\n`).join('');
}

export function sampleHeaders(endpoint: Endpoint): readonly (readonly [string, string])[] {
  const sampler = new Sampler();
  return Object.entries(endpoint.answerHeaders).map(([name, shape]) => [name, String(sampler.value(shape))]);
}

export async function answerFromTable(
  endpoint: Endpoint,
  request: FakeRequest,
  onSession: (answer: Promise<SessionAnswer>) => void,
): Promise<void> {
  const headers = sampleHeaders(endpoint);
  switch (endpoint.answer.travel) {
    case 'hijack': {
      await request.body;
      const upgrade = request.header('upgrade') !== undefined;
      const type = ['Content-Type', 'application/vnd.docker.raw-stream'] as const;
      const switching = [type, ['Connection', 'Upgrade'], ['Upgrade', 'tcp']] as const;
      const hijacked = request.hijack(
        Buffer.concat([
          headBytes({ status: upgrade ? 101 : 200, headers: upgrade ? switching : [type] }),
          Buffer.from(GREETING),
        ]),
      );
      hijacked.onData((bytes) => hijacked.write(bytes));
      hijacked.onEnd(() => hijacked.end());
      return;
    }
    case 'websocket':
      echoWebsocket(request);
      return;
    case 'h2c':
      if (endpoint.path === '/session') onSession(askSession(request, '/moby.filesync.v1.Auth/Credentials'));
      else serveGrpc(request);
      return;
  }
  await request.body;
  switch (endpoint.answer.travel) {
    case 'none':
      request.answer({ status: endpoint.method === 'HEAD' || endpoint.method === 'OPTIONS' ? 200 : 204, headers });
      return;
    case 'text':
      request.answer({ status: 200, headers: [...headers, ['Content-Type', 'text/plain; charset=utf-8']] }, 'OK');
      return;
    case 'json':
      request.answer(
        { status: 200, headers: [...headers, ['Content-Type', 'application/json']] },
        sampleAnswer(endpoint),
      );
      return;
    case 'lines': {
      const answer = request.stream({ status: 200, headers: [...headers, ['Content-Type', 'application/json']] });
      for (const line of sampleLines(endpoint).split(/(?<=\r\n)/)) answer.write(line);
      answer.end();
      return;
    }
    default: {
      const frames = endpoint.answer.travel === 'frames';
      const type = frames ? 'application/vnd.docker.multiplexed-stream' : 'application/x-tar';
      const answer = request.stream({ status: 200, headers: [...headers, ['Content-Type', type]] });
      const bytes = frames ? FRAMES : TAR;
      for (let at = 0; at < bytes.length; at += 30_000) answer.write(bytes.subarray(at, at + 30_000));
      answer.end();
    }
  }
}
