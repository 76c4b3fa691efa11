// A real LDAP server: Debian's slapd, started by hand in a temporary folder.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const program = '/usr/sbin/slapd';

export const hasSlapd = existsSync(program) && existsSync('/usr/sbin/slapadd');

const config = (folder: string): string => `
include /etc/ldap/schema/core.schema
include /etc/ldap/schema/cosine.schema
include /etc/ldap/schema/nis.schema
include /etc/ldap/schema/inetorgperson.schema
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${folder}/pid
database mdb
directory ${folder}/data
suffix "dc=example,dc=org"
access to attrs=userPassword by anonymous auth by * none
access to * by users read
`;

const person = (uid: string, password: string): string => `
dn: uid=${uid.replace(/[,+]/g, '\\$&')},ou=people,dc=example,dc=org
objectClass: inetOrgPerson
uid: ${uid}
cn: ${uid}
sn: ${uid}
userPassword: ${password}
`;

const group = (name: string, ...members: readonly string[]): string => `
dn: cn=${name},ou=groups,dc=example,dc=org
objectClass: posixGroup
cn: ${name}
gidNumber: 1000
${members.map((uid) => `memberUid: ${uid}`).join('\n')}
`;

const tree = `
dn: dc=example,dc=org
objectClass: dcObject
objectClass: organization
o: Example
dc: example

dn: ou=people,dc=example,dc=org
objectClass: organizationalUnit
ou: people

dn: ou=groups,dc=example,dc=org
objectClass: organizationalUnit
ou: groups
${person('alice', 'wonder land')}${person('bob, jr', 'builder')}
${group('ci', 'alice', 'bob, jr')}${group('admins', 'carol')}
`;

export interface Slapd {
  readonly url: string;
  stop(): Promise<void>;
}

export async function startSlapd(): Promise<Slapd> {
  const folder = mkdtempSync(join(tmpdir(), 'bg-slapd-'));
  mkdirSync(join(folder, 'data'));
  const file = join(folder, 'slapd.conf');
  writeFileSync(file, config(folder));
  execFileSync('/usr/sbin/slapadd', ['-f', file], { input: tree, stdio: ['pipe', 'ignore', 'pipe'] });
  const port = await freePort();
  const url = `ldap://127.0.0.1:${port}`;
  // It must not outlive a test run that is killed.
  const child = spawn('setpriv', ['--pdeathsig', 'KILL', program, '-d', '0', '-h', url, '-f', file], {
    stdio: 'ignore',
  });
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()));
  await untilListens(port, () => child.exitCode);
  return {
    url,
    async stop() {
      child.kill('SIGTERM');
      await ended;
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = net.createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as net.AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

async function untilListens(port: number, exitCode: () => number | null): Promise<void> {
  const deadline = Date.now() + 10_000;
  while (exitCode() === null && Date.now() < deadline) {
    if (await connects(port)) return;
  }
  throw new Error(`slapd does not listen (exit code ${exitCode()})`);
}

function connects(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect(port, '127.0.0.1');
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
    // Polled, and not in a hurry: nobody tells when it listens.
    socket.once('error', () => setTimeout(resolve, 20, false));
  });
}
