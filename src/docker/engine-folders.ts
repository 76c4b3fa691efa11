/** Where engines keep the files of volumes and containers on their host, as they say it in errors. */

/** moby, volume/local: the folder of a volume. */
const VOLUME = /\/volumes\/([^/]+)\/_data(?=\/|$)/;
/** The root of a container: graph drivers of moby, and its mounts of containerd's snapshots. */
const ROOT = new RegExp(
  '/(?:(?:overlay2?|fuse-overlayfs)/[0-9a-f]{64}(?:-init)?/(?:merged|diff|work)' +
    '|(?:vfs/dir|btrfs/subvolumes|zfs/graph|rootfs/[a-z0-9-]+)/[0-9a-f]{64}(?:-init)?)(?=/|$)',
);

export interface InEngineFolder {
  /** The engine's name of it; null in the files of a container. */
  readonly volume: string | null;
  /** Within it, with the slash; empty for the whole. */
  readonly path: string;
}

/** Null for every other path. */
export function inEngineFolder(path: string): InEngineFolder | null {
  const [folder, volume = null] = VOLUME.exec(path) ?? ROOT.exec(path) ?? [];
  return folder === undefined ? null : { volume, path: path.slice(path.indexOf(folder) + folder.length) };
}
