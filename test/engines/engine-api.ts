// The few calls that the tests' own scaffolding makes to an engine, straight and without Berthgate.
import { request } from 'node:http';

export interface EngineAnswer {
  readonly status: number;
  readonly text: string;
}

/** `host` as in DOCKER_HOST: unix:///path or tcp://host:port. */
export function askEngine(host: string, method: string, path: string, timeoutMs = 10_000): Promise<EngineAnswer> {
  const url = new URL(host);
  const where =
    url.protocol === 'unix:' ? { socketPath: url.pathname } : { host: url.hostname, port: url.port || '2375' };
  return new Promise((resolve, reject) => {
    const call = request({ ...where, method, path, signal: AbortSignal.timeout(timeoutMs) }, (answer) => {
      const chunks: Buffer[] = [];
      answer.on('data', (chunk: Buffer) => chunks.push(chunk));
      answer.on('error', reject);
      answer.on('end', () => resolve({ status: answer.statusCode ?? 0, text: Buffer.concat(chunks).toString() }));
    });
    call.on('error', reject);
    call.end();
  });
}
