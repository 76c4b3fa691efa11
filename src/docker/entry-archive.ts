/** Tar archives of one entry, as they are written into a container. POSIX ustar. */

const BLOCK = 512;
const NAME_BYTES = 100;

/** A symbolic link. The engine makes the folders that it lies in. @throws RangeError where a path is too long */
export function linkArchive(path: string, target: string): Buffer {
  return archiveOf(path, '2', 0o777, target);
}

/** An empty folder, and those that it lies in. @throws RangeError where the path is too long */
export function folderArchive(path: string): Buffer {
  return archiveOf(`${path}/`, '5', 0o755, '');
}

function archiveOf(path: string, type: string, mode: number, linkTarget: string): Buffer {
  const header = Buffer.alloc(BLOCK);
  const [prefix, name] = namesOf(path.replace(/^\/+/, ''));
  if (Buffer.byteLength(linkTarget) > NAME_BYTES) throw new RangeError('the target of the link is too long');
  header.write(name, 0);
  for (const [value, at, digits] of [
    [mode, 100, 7],
    [0, 108, 7],
    [0, 116, 7],
    [0, 124, 11],
    [0, 136, 11],
  ] as const) {
    header.write(value.toString(8).padStart(digits, '0'), at);
  }
  header.write(type, 156);
  header.write(linkTarget, 157);
  header.write('ustar\x0000', 257, 'latin1');
  header.write(prefix, 345);
  header.fill(' ', 148, 156);
  const sum = header.reduce((before, byte) => before + byte, 0);
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
  // Two empty blocks end an archive.
  return Buffer.concat([header, Buffer.alloc(2 * BLOCK)]);
}

/** A long path is cut at one of its slashes. */
function namesOf(path: string): readonly [string, string] {
  if (Buffer.byteLength(path) <= NAME_BYTES) return ['', path];
  for (let cut = path.lastIndexOf('/', path.length - 2); cut > 0; cut = path.lastIndexOf('/', cut - 1)) {
    const [prefix, name] = [path.slice(0, cut), path.slice(cut + 1)];
    if (Buffer.byteLength(name) > NAME_BYTES) break;
    if (Buffer.byteLength(prefix) <= 155) return [prefix, name];
  }
  throw new RangeError(`${path} is too long`);
}
