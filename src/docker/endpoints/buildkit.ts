/** The methods of BuildKit's API, which travel within `/grpc`: what a build asks of the engine. */

import { type Endpoint, endpoint, type Risk } from '../endpoint.ts';
import { own, privilege, uses } from '../marks.ts';
import { any, bool, int, list, message, type ObjectShape, text } from '../shape.ts';
import {
  bridgeSolveRequest,
  historyEvent,
  imageConfigRequest,
  imageConfigResponse,
  solveRequest,
  solveResponse,
  sourceMetaRequest,
  sourceMetaResponse,
  statusResponse,
  workers,
} from '../shapes/buildkit.ts';
import { sessionHeaders } from './session.ts';

const control = '/moby.buildkit.v1.Control/';
const bridge = '/moby.buildkit.v1.frontend.LLBBridge/';
const contents = '/containerd.services.content.v1.Content/';

const sources: Readonly<Record<string, string>> = {
  [control]: 'moby/buildkit, api/services/control/control.proto',
  [bridge]: 'moby/buildkit, frontend/gateway/pb/gateway.proto',
  [contents]: 'containerd, api/services/content/v1/content.proto',
};

/** Goes in and out as it is: nothing in it names anything beside the build that it belongs to. */
const unread = message({});

function method(
  id: string,
  path: string,
  risk: Risk,
  summary: string,
  request: ObjectShape = unread,
  answer?: ObjectShape,
): Endpoint {
  return endpoint({
    id,
    summary,
    method: 'POST',
    path,
    risk,
    since: '1.39',
    headers: { 'buildkit-controlapi-buildid': text(uses('build', 'name')) },
    undocumented: sources[path.slice(0, path.lastIndexOf('/') + 1)] as string,
    body: { travel: 'grpc', shape: request },
    answer: { travel: 'grpc', ...(answer === undefined ? {} : { shape: answer }) },
  });
}

const ref = message({ Ref: [1, text(uses('build', 'name'))] });
const cache = privilege('shared', "the build cache is everybody's on the engine");
/** Of a result that the build has brought forth. */
const file = { Ref: [1, text(own)], MountIndex: [4, int(own)] } as const;

/** Every method that is known to be harmless, or can be judged; every other one is refused. */
export const buildkitMethods: readonly Endpoint[] = [
  { ...method('BuildkitSolve', `${control}Solve`, 'build', 'Build', solveRequest, solveResponse), fills: true },
  {
    ...method('BuildkitSession', `${control}Session`, 'build', 'Offer files, secrets and credentials to a build'),
    headers: sessionHeaders,
    body: { travel: 'h2c' },
    answer: { travel: 'h2c' },
  },
  method('BuildkitStatus', `${control}Status`, 'build', 'Follow the progress of a build', ref, statusResponse),
  method('BuildkitInfo', `${control}Info`, 'ping', "Tell BuildKit's version"),
  method(
    'BuildkitListWorkers',
    `${control}ListWorkers`,
    'read',
    'Tell what the builder can do',
    message({ Filter: [1, list(text(own))] }),
    workers,
  ),
  method(
    'BuildkitDiskUsage',
    `${control}DiskUsage`,
    'read',
    'List the build cache',
    message({ Filter: [1, list(text(own))], AgeLimit: [2, int(own)] }),
  ),
  {
    ...method(
      'BuildkitPrune',
      `${control}Prune`,
      'write',
      'Empty the build cache',
      message({
        Filter: [1, list(text(cache))],
        All: [2, bool(cache)],
        KeepDuration: [3, int(cache)],
        ReservedSpace: [4, int(cache)],
        MaxUsedSpace: [5, int(cache)],
        MinFreeSpace: [6, int(cache)],
      }),
    ),
    marks: [cache],
  },
  {
    ...method(
      'BuildkitListenHistory',
      `${control}ListenBuildHistory`,
      'read',
      'List the builds of the past, and those under way',
      message({
        ActiveOnly: [1, bool(own)],
        Ref: [2, text(uses('build', 'name'))],
        EarlyExit: [3, bool(own)],
        Filter: [4, list(text(own))],
        Limit: [5, int(own)],
      }),
    ),
    answer: { travel: 'grpc', shape: historyEvent },
  },
  method('BuildkitPing', `${bridge}Ping`, 'build', 'Tell what the frontend may do'),
  method('BuildkitBridgeSolve', `${bridge}Solve`, 'build', 'Have the frontend build', bridgeSolveRequest),
  method(
    'BuildkitResolveImageConfig',
    `${bridge}ResolveImageConfig`,
    'build',
    'Tell the configuration of an image',
    imageConfigRequest,
    imageConfigResponse,
  ),
  method(
    'BuildkitResolveSourceMeta',
    `${bridge}ResolveSourceMeta`,
    'build',
    'Tell what a source is',
    sourceMetaRequest,
    sourceMetaResponse,
  ),
  method(
    'BuildkitReadFile',
    `${bridge}ReadFile`,
    'build',
    'Read a file of a result',
    message({ ...file, FilePath: [2, text(own)], Range: [3, any(own)] }),
  ),
  method(
    'BuildkitReadDir',
    `${bridge}ReadDir`,
    'build',
    'List a folder of a result',
    message({ ...file, DirPath: [2, text(own)], IncludePattern: [3, text(own)] }),
  ),
  method(
    'BuildkitStatFile',
    `${bridge}StatFile`,
    'build',
    'Look at a file of a result',
    message({ Ref: [1, text(own)], Path: [2, text(own)], MountIndex: [3, int(own)] }),
  ),
  method(
    'BuildkitEvaluate',
    `${bridge}Evaluate`,
    'build',
    'Have a result brought forth now',
    message({ Ref: [1, text(own)] }),
  ),
  method(
    'BuildkitReturn',
    `${bridge}Return`,
    'build',
    'End the frontend with its result',
    message({ Result: [1, any(own)], Error: [2, any(own)] }),
  ),
  method('BuildkitInputs', `${bridge}Inputs`, 'build', 'Tell what the build was given'),
  method(
    'BuildkitWarn',
    `${bridge}Warn`,
    'build',
    'Add a warning to the progress',
    message({
      Digest: [1, text(own)],
      Level: [2, int(own)],
      Short: [3, any(own)],
      Detail: [4, list(any(own))],
      Url: [5, text(own)],
      Info: [6, any(own)],
      Ranges: [7, list(any(own))],
    }),
  ),
  method(
    'BuildkitContentInfo',
    `${contents}Info`,
    'build',
    'Look at what a build has left behind',
    message({ Digest: [1, text(uses('build', 'id'))] }),
  ),
  method(
    'BuildkitContentRead',
    `${contents}Read`,
    'build',
    'Read what a build has left behind',
    message({ Digest: [1, text(uses('build', 'id'))], Offset: [2, int(own)], Size: [3, int(own)] }),
  ),
];
