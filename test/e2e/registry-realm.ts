// The realm of a registry with tokens: it knows alice, and gives her what she asks for, and nobody else anything.
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { importPKCS8, SignJWT } from 'jose';

export interface TestRealm {
  readonly url: string;
  /** What was asked, and with which password. */
  readonly asked: { readonly scope: string; readonly authorization: string }[];
  close(): void;
}

/** @param certificate, key files in PEM; the registry trusts the certificate */
export async function startRealm(certificate: string, key: string): Promise<TestRealm> {
  const signing = await importPKCS8(readFileSync(key, 'utf8'), 'ES256');
  const x5c = [readFileSync(certificate, 'utf8').replace(/-----[^-]+-----|\s/g, '')];
  const asked: { scope: string; authorization: string }[] = [];
  const server = createServer((request, response) => {
    const { searchParams } = new URL(request.url ?? '', 'http://realm');
    const scopes = searchParams.getAll('scope').flatMap((scope) => scope.split(' '));
    const { authorization = '' } = request.headers;
    asked.push({ scope: scopes.join(' '), authorization });
    const known = authorization === `Basic ${Buffer.from('alice:secret').toString('base64')}`;
    if (authorization !== '' && !known) {
      response
        .writeHead(401)
        .end('{"errors": [{"code": "UNAUTHORIZED", "message": "incorrect username or password"}]}');
      return;
    }
    const access = scopes.map((scope) => {
      const [type, name, actions = ''] = scope.split(':');
      return { type, name, actions: known ? actions.split(',') : [] };
    });
    void new SignJWT({ access })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c })
      .setIssuer('realm')
      .setAudience('registry')
      .setSubject(known ? 'alice' : '')
      .setIssuedAt()
      .setNotBefore('-10s')
      .setExpirationTime('5m')
      .sign(signing)
      .then((token) => response.end(JSON.stringify({ token, expires_in: 300 })));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const close = (): void => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`, asked, close };
}
