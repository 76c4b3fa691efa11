/** Commands that run inside containers. An exec belongs to its container. */

import { empty, endpoint, json, jsonBody } from '../endpoint.ts';
import { environmentVariable } from '../grammars/env.ts';
import { workingDirectory } from '../grammars/working-directory.ts';
import { borrows, own, privilege, reveals, uses } from '../marks.ts';
import { alsoSpelled, any, bool, int, language, list, object, oneOrMore, since, text } from '../shape.ts';

const exec = { id: text(uses('exec', 'id')) };

export const execEndpoints = [
  endpoint({
    id: 'ContainerExec',
    summary: 'Prepare a command to run in a running container',
    method: 'POST',
    path: '/containers/{id}/exec',
    risk: 'exec',
    parameters: { id: text(uses('container'), borrows) },
    body: jsonBody(
      // docker-py says `detachKeys`.
      alsoSpelled(
        { detachKeys: 'DetachKeys' },
        object({
          AttachStdin: bool(own),
          AttachStdout: bool(own),
          AttachStderr: bool(own),
          ConsoleSize: since('1.42', list(int(own))),
          DetachKeys: text(own),
          Tty: bool(own),
          Env: list(language(environmentVariable)),
          Cmd: oneOrMore(text(own)),
          Privileged: bool(privilege('root', 'runs the command with every capability')),
          User: text(own),
          WorkingDir: language(workingDirectory),
          Detach: bool(own),
          // docker-py says the container once more; no engine reads it here.
          Container: text(uses('container')),
        }),
      ),
    ),
    answer: json(object({ Id: text(uses('exec', 'id')) })),
  }),
  endpoint({
    id: 'ExecStart',
    summary: 'Run a prepared command',
    method: 'POST',
    path: '/exec/{id}/start',
    risk: 'exec',
    repeats: true,
    parameters: { id: text(uses('exec', 'id'), borrows) },
    body: jsonBody(
      object({
        Detach: bool(own),
        Tty: bool(own),
        ConsoleSize: since('1.42', list(int(own))),
        // Options of dockerode itself, which it sends along; no engine reads them.
        hijack: bool(own),
        stdin: bool(own),
      }),
      { optional: true },
    ),
    answer: { travel: 'hijack' },
  }),
  endpoint({
    id: 'ExecResize',
    summary: 'Resize the terminal of a command',
    method: 'POST',
    path: '/exec/{id}/resize',
    risk: 'exec',
    parameters: exec,
    query: { h: int(own), w: int(own) },
    answer: empty,
  }),
  endpoint({
    id: 'ExecInspect',
    summary: 'Inspect a command',
    method: 'GET',
    path: '/exec/{id}/json',
    risk: 'read',
    shareable: true,
    parameters: exec,
    answer: json(
      object({
        ID: text(uses('exec', 'id')),
        ContainerID: text(uses('container', 'id')),
        CanRemove: bool(),
        DetachKeys: text(),
        Running: bool(),
        ExitCode: int(),
        ProcessConfig: object({
          privileged: bool(),
          user: text(),
          tty: bool(),
          entrypoint: text(),
          arguments: list(text()),
        }),
        OpenStdin: bool(),
        OpenStderr: bool(),
        OpenStdout: bool(),
        Pid: int(reveals('host')),
        Container: any(reveals('host')),
      }),
    ),
  }),
];
