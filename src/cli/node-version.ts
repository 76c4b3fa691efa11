/** Imported before everything else: at an older Node.js the libraries would fail, and not say why. */

const OLDEST = [20, 19] as const;

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < OLDEST[0] || (major === OLDEST[0] && minor < OLDEST[1])) {
  process.stderr.write(`berthgate: needs Node.js ${OLDEST.join('.')} or newer; this is ${process.version}\n`);
  process.exit(1);
}
