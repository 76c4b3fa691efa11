/** Plugins of the engine: containers that run as a part of it. */

import { hostPath, reveals, uses } from '../marks.ts';
import { any, bool, int, list, object, text, until } from '../shape.ts';

const described = { Name: text(), Description: text(), Settable: list(text()) };
const device = object({ ...described, Path: text(hostPath('write')) });
const mount = object({
  ...described,
  Source: text(hostPath('write')),
  Destination: text(),
  Type: text(),
  Options: list(text()),
});

/** What a plugin wants to be allowed; installing it is saying yes to this very list. */
export const pluginPrivileges = list(object({ Name: text(), Description: text(), Value: list(text()) }));

export const plugin = object({
  Id: text(uses('plugin', 'id')),
  Name: text(uses('plugin', 'name')),
  Enabled: bool(),
  Settings: object({
    Mounts: list(mount),
    Env: list(text(reveals('host'))),
    Args: list(text(reveals('host'))),
    Devices: list(device),
  }),
  PluginReference: text(uses('plugin', 'name')),
  Config: object({
    DockerVersion: until('1.51', text()),
    Description: text(),
    Documentation: text(),
    // An entry is `volume.plugin/1.0` by Docker's newer documents, and an object by its older ones.
    Interface: object({ Types: list(any()), Socket: text(), ProtocolScheme: text() }),
    Entrypoint: list(text()),
    WorkDir: text(),
    User: object({ UID: int(), GID: int() }),
    Network: object({ Type: text() }),
    Linux: object({ Capabilities: list(text()), AllowAllDevices: bool(), Devices: list(device) }),
    PropagatedMount: text(),
    IpcHost: bool(),
    PidHost: bool(),
    Mounts: list(mount),
    Env: list(object({ ...described, Value: text(reveals('host')) })),
    Args: object({ ...described, Value: list(text()) }),
    rootfs: object({ type: text(), diff_ids: list(text()) }),
  }),
});
