// TLS clients of several makers, each of which says whether it takes what a server shows it.
import { execFile, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import tls from 'node:tls';
import { newFolder } from './folders.ts';

export interface TlsClient {
  readonly name: string;
  readonly here: boolean;
  /** Whether it takes the server at 127.0.0.1:port for `host`, when it trusts `roots` (PEM) alone. */
  takes(port: number, host: string, roots: string): Promise<boolean>;
}

const PYTHON = `
import socket, ssl, sys
port, host, roots = int(sys.argv[1]), sys.argv[2], sys.argv[3]
context = ssl.create_default_context(cafile=roots)
try:
    context.wrap_socket(socket.create_connection(('127.0.0.1', port)), server_hostname=host).close()
    print('taken')
except ssl.SSLCertVerificationError as fault:
    print('refused', fault)
`;

const JAVA = `
import java.io.*; import java.net.*; import java.security.*; import java.security.cert.*; import javax.net.ssl.*;
public class Client {
  public static void main(String[] args) throws Exception {
    KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType()); store.load(null, null); int count = 0;
    try (InputStream in = new BufferedInputStream(new FileInputStream(args[2]))) {
      for (java.security.cert.Certificate one : CertificateFactory.getInstance("X.509").generateCertificates(in))
        store.setCertificateEntry("root" + count++, one);
    }
    TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
    trust.init(store);
    SSLContext context = SSLContext.getInstance("TLS"); context.init(null, trust.getTrustManagers(), null);
    int port = Integer.parseInt(args[0]);
    SSLSocket socket = (SSLSocket) context.getSocketFactory().createSocket(new Socket("127.0.0.1", port), args[1], port, true);
    SSLParameters wanted = socket.getSSLParameters(); wanted.setEndpointIdentificationAlgorithm("HTTPS");
    socket.setSSLParameters(wanted);
    try { socket.startHandshake(); System.out.println("taken"); }
    catch (SSLHandshakeException fault) { System.out.println("refused " + fault.getMessage()); }
  }
}
`;

function ran(file: string, args: readonly string[]): Promise<boolean> {
  return new Promise((resolve, reject) => {
    execFile(file, [...args], { timeout: 120_000 }, (fault, stdout, stderr) => {
      if (stdout.startsWith('taken')) resolve(true);
      else if (stdout.startsWith('refused')) resolve(false);
      else reject(new Error(`${file}: ${fault?.message ?? ''} ${stdout}${stderr}`));
    });
  });
}

function fileWith(name: string, text: string): string {
  const file = join(newFolder(), name);
  writeFileSync(file, text);
  return file;
}

const runs = (program: string, ...args: string[]): boolean => spawnSync(program, args).status === 0;
const said = (program: string, ...args: string[]): string => String(spawnSync(program, args).stdout);

export const tlsClients: readonly TlsClient[] = [
  {
    name: 'Node',
    here: true,
    takes: (port, host, roots) =>
      new Promise((resolve, reject) => {
        const socket = tls.connect({ host: '127.0.0.1', port, servername: host, ca: roots });
        socket.once('secureConnect', () => {
          socket.destroy();
          resolve(true);
        });
        socket.once('error', (fault: NodeJS.ErrnoException) => {
          if (/^(CERT|UNABLE|PERMITTED|EXCLUDED|ERR_TLS_CERT|SELF|INVALID|UNSPECIFIED)/.test(fault.code ?? ''))
            resolve(false);
          else if (/permitted subtree|excluded subtree|path length/.test(fault.message)) resolve(false);
          else reject(fault);
        });
      }),
  },
  {
    name: 'OpenSSL',
    here: runs('openssl', 'version'),
    takes: (port, host, roots) =>
      new Promise((resolve, reject) => {
        const args = ['s_client', '-connect', `127.0.0.1:${port}`, '-servername', host, '-verify_hostname', host];
        const trust = ['-CAfile', fileWith('roots.pem', roots), '-no-CApath', '-no-CAstore', '-verify_return_error'];
        const child = execFile('openssl', [...args, ...trust], { timeout: 60_000 }, (_fault, stdout, stderr) => {
          if (/Verification: OK/.test(stdout)) resolve(true);
          else if (/verify error/.test(stdout + stderr)) resolve(false);
          else reject(new Error(`openssl: ${stdout}${stderr}`));
        });
        child.stdin?.end();
      }),
  },
  {
    name: 'Python',
    here: runs('python3', '-c', 'import ssl'),
    takes: (port, host, roots) =>
      ran('python3', [fileWith('client.py', PYTHON), String(port), host, fileWith('roots.pem', roots)]),
  },
  {
    name: 'Java',
    // From a file of source: not every Java can.
    here: said('java', '--list-modules').includes('jdk.compiler'),
    takes: (port, host, roots) =>
      ran('java', [fileWith('Client.java', JAVA), String(port), host, fileWith('roots.pem', roots)]),
  },
];
