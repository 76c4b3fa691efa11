/** The steps of a build, as BuildKit runs them (moby/buildkit, solver/pb/ops.proto). */

import { namedContext } from '../grammars/named-context.ts';
import { address, own, privilege } from '../marks.ts';
import { any, bool, int, language, list, map, message, text } from '../shape.ts';

const host = privilege('host-namespace', "uses the host's own network");
const unconfined = privilege('confinement', 'runs without confinement');
const beside = privilege('cgroup', 'another place in the tree of cgroups, or limits of its own');
const device = privilege('device', 'a device of the host');
const nested = privilege('builder', 'a build within the build, by a frontend that is not known');

const run = message({
  Meta: [
    1,
    message({
      Args: [1, list(text(own))],
      Env: [2, list(text(own))],
      Cwd: [3, text(own)],
      User: [4, text(own)],
      ProxyEnv: [5, any(privilege('shared', 'not in the key of the build cache'))],
      ExtraHosts: [6, list(any(address))],
      Hostname: [7, text(own)],
      Ulimit: [9, list(any(beside))],
      CgroupParent: [10, text(beside)],
      RemoveMountStubsRecursive: [11, bool(own)],
      ValidExitCodes: [12, list(any(own))],
    }),
  ],
  Mounts: [
    2,
    list(
      message({
        Input: [1, int(own)],
        Selector: [2, text(own)],
        Dest: [3, text(own)],
        Output: [4, int(own)],
        Readonly: [5, bool(own)],
        MountType: [6, int(own)],
        TmpfsOpt: [19, any(own)],
        CacheOpt: [20, message({ ID: [1, text(own)], Sharing: [2, int(own)] })],
        SecretOpt: [21, any(own)],
        SSHOpt: [22, any(own)],
        ResultID: [23, text(own)],
        ContentCache: [24, int(own)],
      }),
    ),
  ],
  // 0 is the network of the builder; 2 is none.
  Network: [3, { ...int(host), neutral: [2] }],
  Security: [4, int(unconfined)],
  SecretEnv: [5, list(any(own))],
  CDIDevices: [6, list(any(device))],
});

const step = message({
  Inputs: [1, list(any(own))],
  Exec: [2, run],
  Source: [3, message({ Identifier: [1, language(namedContext)], Attrs: [2, map(text(own), text(own))] })],
  File: [4, any(own)],
  Build: [5, any(nested)],
  Merge: [6, any(own)],
  Diff: [7, any(own)],
  Passthrough: [8, any(own)],
  Platform: [10, any(own)],
  Constraints: [11, any(own)],
});

export const definition = message({
  Def: [1, list(step)],
  Metadata: [2, list(any(own))],
  Source: [3, any(own)],
});
