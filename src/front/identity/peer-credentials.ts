/**
 * What Linux says about the other end of a unix socket, and what its name service (files, LDAP, SSSD) says about an
 * account. All of koffi is in this file. Layouts and numbers are those of glibc and musl.
 */

import type net from 'node:net';

/** As they were when the client called connect(2): a descriptor that is passed on still speaks for who opened it. */
export interface PeerCredentials {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

interface Account {
  readonly name: string;
  readonly primaryGid: number;
}

export interface NativeAccounts {
  /** Null where the socket is closed or not a unix socket. */
  credentialsOf(socket: net.Socket): PeerCredentials | null;
  /** Null where no account has this uid. These three may block for long, so they run on a thread of libuv's pool. */
  accountOf(uid: number): Promise<Account | null>;
  groupIdsOf(account: Account): Promise<readonly number[]>;
  /** Null where no group has this gid. */
  groupNameOf(gid: number): Promise<string | null>;
}

const SOL_SOCKET = 1;
const credentialBytes = 12;
const ERANGE = 34;
const largestBuffer = 1 << 20;
const mostGroups = 65_536;

/** SO_PEERCRED: asm-generic/socket.h, and PowerPC's own. */
const peerCredentialOption: Readonly<Record<string, number>> = {
  x64: 17,
  ia32: 17,
  arm: 17,
  arm64: 17,
  riscv64: 17,
  loong64: 17,
  s390x: 17,
  ppc64: 21,
};

/** @throws Error that says why this machine cannot tell who connects */
export async function loadNativeAccounts(): Promise<NativeAccounts> {
  const option = peerCredentialOption[process.arch];
  if (process.platform !== 'linux' || option === undefined) {
    throw new Error(`SO_PEERCRED is not known here (${process.platform}, ${process.arch})`);
  }
  const { default: koffi } = await import('koffi');
  // The running program itself, so that the C library needs no name: it has another one under musl.
  const libc = koffi.load(null);

  const passwd = koffi.struct({
    pw_name: 'char *',
    pw_passwd: 'char *',
    pw_uid: 'uint32_t',
    pw_gid: 'uint32_t',
    pw_gecos: 'char *',
    pw_dir: 'char *',
    pw_shell: 'char *',
  });
  const group = koffi.struct({ gr_name: 'char *', gr_passwd: 'char *', gr_gid: 'uint32_t', gr_mem: 'void *' });
  const outPointer = koffi.out(koffi.pointer('void *'));
  const inoutInt = koffi.inout(koffi.pointer('int'));
  const getsockopt = libc.func('getsockopt', 'int', ['int', 'int', 'int', 'void *', inoutInt]);
  const getpwuid = libc.func('getpwuid_r', 'int', ['uint32_t', 'void *', 'void *', 'size_t', outPointer]);
  const getgrgid = libc.func('getgrgid_r', 'int', ['uint32_t', 'void *', 'void *', 'size_t', outPointer]);
  const getgrouplist = libc.func('getgrouplist', 'int', ['str', 'uint32_t', 'void *', inoutInt]);

  type Native = typeof getpwuid;
  const inThread = (native: Native, ...values: unknown[]): Promise<number> =>
    new Promise((resolve, reject) => {
      native.async(...values, (error: Error | null, result: number) => {
        if (error === null) resolve(result);
        else reject(error);
      });
    });

  /** The record that one of the `_r` functions fills, or null. A larger buffer is tried where it says ERANGE. */
  const lookUp = async (native: Native, id: number, layout: ReturnType<typeof koffi.struct>): Promise<unknown> => {
    const record = Buffer.alloc(koffi.sizeof(layout));
    for (let bytes = 4096; ; bytes *= 4) {
      const strings = Buffer.alloc(bytes);
      const found: [unknown] = [null];
      const code = await inThread(native, id, record, strings, bytes, found);
      if (code === ERANGE && bytes < largestBuffer) continue;
      if (code !== 0) throw new Error(`the name service answers with errno ${code}`);
      // Decoded only when it says found: glibc leaves another account in the record when it is not.
      return found[0] === null ? null : koffi.decode(record, layout);
    }
  };

  return {
    credentialsOf(socket) {
      const fd = (socket as unknown as { _handle?: { fd?: number } | null })._handle?.fd;
      if (typeof fd !== 'number' || fd < 0) return null;
      const bytes = Buffer.alloc(credentialBytes);
      const length = [credentialBytes];
      if (getsockopt(fd, SOL_SOCKET, option, bytes, length) !== 0 || length[0] !== credentialBytes) return null;
      // struct ucred; native order, which is little-endian on all but s390x and ppc64 in their big form.
      const [pid, uid, gid] = new Uint32Array(bytes.buffer, bytes.byteOffset, 3);
      return { pid: pid!, uid: uid!, gid: gid! };
    },

    async accountOf(uid) {
      const found = (await lookUp(getpwuid, uid, passwd)) as { pw_name: string; pw_uid: number; pw_gid: number } | null;
      return found === null || found.pw_uid !== uid ? null : { name: found.pw_name, primaryGid: found.pw_gid };
    },

    async groupIdsOf({ name, primaryGid }) {
      for (let room = 64; room <= mostGroups; room *= 4) {
        const ids = new Uint32Array(room);
        const count: [number] = [room];
        if ((await inThread(getgrouplist, name, primaryGid, ids, count)) >= 0) return [...ids.subarray(0, count[0])];
      }
      throw new Error(`the name service gives more than ${mostGroups} groups of one user`);
    },

    async groupNameOf(gid) {
      const found = (await lookUp(getgrgid, gid, group)) as { gr_name: string; gr_gid: number } | null;
      return found === null || found.gr_gid !== gid ? null : found.gr_name;
    },
  };
}
