// The programs that a benchmark needs: those of Debian's packages, and our own in bench/native, compiled at the start.

import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Which Debian package brings a program. */
const PACKAGES = { haproxy: 'haproxy', nginx: 'nginx-light', wrk: 'wrk', gcc: 'gcc', go: 'golang-go' };

const native = fileURLToPath(new URL('../native/', import.meta.url));

/** The path of a program, or null. sbin is looked into too: that is where servers lie. */
export function findProgram(name) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin'];
  for (const folder of folders) {
    const path = join(folder, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // The next one may have it.
    }
  }
  return null;
}

/** Ends the process with what to install, where something is missing. */
export function needPrograms(...names) {
  const missing = names.filter((name) => findProgram(name) === null);
  if (missing.length === 0) return;
  const packages = missing.map((name) => PACKAGES[name] ?? name);
  console.error(`missing: ${missing.join(', ')}; on Debian: apt-get install ${packages.join(' ')}`);
  process.exit(2);
}

/** Compiles bench/native/NAME.c into `folder`; gives the path. */
export function compile(name, folder) {
  const to = join(folder, name);
  execFileSync('gcc', ['-O2', '-Wall', '-pthread', '-o', to, join(native, `${name}.c`)], { stdio: 'inherit' });
  return to;
}

/** The stand-in for the socket proxies that are written in Go; null where there is no Go. */
export function compileGoProxy(folder) {
  if (findProgram('go') === null) return null;
  const to = join(folder, 'go-proxy');
  const env = { ...process.env, GO111MODULE: 'off', GOCACHE: join(folder, 'go-cache'), GOFLAGS: '' };
  execFileSync('go', ['build', '-o', to, join(native, 'go-proxy.go')], { env, stdio: 'inherit' });
  return to;
}

export function firstLineOf(program, ...args) {
  try {
    const told = execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
    return told.split('\n')[0].trim();
  } catch {
    return 'unknown';
  }
}
