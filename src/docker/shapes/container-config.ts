/** The portable half of a container: what its image says too. Also what images and commits carry. */

import { environmentVariable } from '../grammars/env.ts';
import { imageReference } from '../grammars/image-reference.ts';
import { port } from '../grammars/port.ts';
import { workingDirectory } from '../grammars/working-directory.ts';
import { address, own, privilege, resource } from '../marks.ts';
import { bool, int, language, list, map, object, oneOrMore, text, until } from '../shape.ts';
import { healthcheck } from './healthcheck.ts';
import { labelMap } from './labels.ts';

export const containerConfig = object({
  // On networks of the user's own, the host name is a name that others there can reach.
  Hostname: text(address),
  Domainname: text(own),
  User: text(own),
  AttachStdin: bool(own),
  AttachStdout: bool(own),
  AttachStderr: bool(own),
  ExposedPorts: map(object({}), language(port)),
  Tty: bool(own),
  OpenStdin: bool(own),
  StdinOnce: bool(own),
  Env: list(language(environmentVariable)),
  Cmd: oneOrMore(text(own)),
  Healthcheck: healthcheck,
  ArgsEscaped: bool(own),
  Image: language(imageReference),
  // Paths in the container, each of which gets a volume without a name; `src:dst` is refused by the engine.
  Volumes: map(object({}), text(own)),
  WorkingDir: language(workingDirectory),
  Entrypoint: oneOrMore(text(own)),
  NetworkDisabled: bool(own),
  MacAddress: until('1.51', text(privilege('link-layer', 'chooses its address on a network that others share'))),
  OnBuild: list(text(own)),
  Labels: labelMap,
  StopSignal: text(own),
  // -1 waits for ever, which holds up the engine's own end too (moby, Daemon.ShutdownTimeout).
  StopTimeout: int(resource('seconds')),
  Shell: oneOrMore(text(own)),
});
