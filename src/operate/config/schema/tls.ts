/** Keys and certificates: of a listener, and towards an engine. */

import { z } from 'zod';
import { file, oneOf } from './names.ts';

export const serverTls = z
  .strictObject({
    cert: file().meta({ description: 'The certificate chain, PEM, ours first.' }),
    key: file().meta({ description: 'The private key of the certificate, PEM.' }),
    clientCa: file()
      .meta({ description: 'The CA, PEM, that signs the certificates of clients. Absent: no client certificates.' })
      .optional(),
    clientCert: oneOf('require', 'optional', 'none')
      .meta({
        description:
          'Whether a client must show a certificate of `clientCa`. Default: `require` where `clientCa` is given, else `none`.',
      })
      .optional(),
  })
  .transform((tls) => ({ ...tls, clientCert: tls.clientCert ?? (tls.clientCa === undefined ? 'none' : 'require') }));

export const clientTls = z.strictObject({
  ca: file().meta({ description: 'The CA, PEM, that signed the certificate of the other side.' }),
  cert: file().meta({ description: 'Our client certificate, PEM.' }).optional(),
  key: file().meta({ description: 'The private key of `cert`, PEM.' }).optional(),
});
