/** The administrator's calls about jobs: `/api/jobs` and `/api/jobs/ID`. */

import type http from 'node:http';
import { type AnswerApi, sendJson } from './api.ts';
import type { RemovalLine } from './namespaces-api.ts';

export interface JobSummary {
  readonly engine: string;
  readonly job: string;
  /** What it lives as long as: a process (`berthgate run`), or containers that have a socket. */
  readonly holder: 'process' | 'containers';
  readonly owner: string;
  /** Null of a process. */
  readonly listener: string | null;
  /** ISO 8601; null where nobody knows any more. */
  readonly began: string | null;
  /** `ended`: what is left of it is about to go. `unknown`: nobody here can tell whether its process lives. */
  readonly state: 'lives' | 'ending' | 'ended' | 'kept' | 'unknown';
  readonly containers: number;
  readonly networks: number;
  readonly volumes: number;
  readonly images: number;
}

export interface JobAdministration {
  list(): Promise<readonly JobSummary[]>;
  remove(job: string, onLine: (line: RemovalLine) => void, signal: AbortSignal): Promise<void>;
  isJob(text: string): boolean;
}

const PATH = '/api/jobs';

export function jobsApi(jobs: JobAdministration): AnswerApi {
  return (request, response) => {
    const path = request.url?.split('?', 1)[0] ?? '';
    if (path !== PATH && !path.startsWith(`${PATH}/`)) return false;
    serve(jobs, path.slice(PATH.length + 1), request.method ?? '', response).catch((fault: Error) => {
      if (response.headersSent) response.destroy();
      else sendJson(response, 502, { message: fault.message });
    });
    return true;
  };
}

async function serve(
  jobs: JobAdministration,
  job: string,
  method: string,
  response: http.ServerResponse,
): Promise<void> {
  if (job === '') {
    if (method !== 'GET') return sendJson(response, 405, { message: 'only GET' }, { Allow: 'GET' });
    return sendJson(response, 200, { jobs: await jobs.list() });
  }
  if (!jobs.isJob(job)) return sendJson(response, 400, { message: `${job} is not a name of a job` });
  if (method !== 'DELETE') return sendJson(response, 405, { message: 'only DELETE' }, { Allow: 'DELETE' });
  if (!(await jobs.list()).some((one) => one.job === job)) return sendJson(response, 404, { message: `no job ${job}` });
  const gone = new AbortController();
  response.on('close', () => gone.abort());
  response.writeHead(200, { 'Content-Type': 'application/x-ndjson', 'Cache-Control': 'no-store' });
  await jobs.remove(job, (line) => void response.write(`${JSON.stringify(line)}\n`), gone.signal);
  response.end();
}
