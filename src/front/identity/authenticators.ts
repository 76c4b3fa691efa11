/** The built-in authenticators by the name that a configuration gives them. */

import type { AuthenticatorKind } from '../../exchange/authenticator.ts';
import { anonymousKind } from './anonymous.ts';
import { basicKind } from './basic.ts';
import { clientCertKind } from './client-cert.ts';
import { jwtKind } from './jwt.ts';
import { peerKind } from './peer.ts';
import { tokenKind } from './token.ts';

const kinds: readonly AuthenticatorKind[] = [peerKind, clientCertKind, basicKind, tokenKind, jwtKind, anonymousKind];

export const authenticatorKinds: ReadonlyMap<string, AuthenticatorKind> = new Map(
  kinds.map((kind) => [kind.name, kind]),
);
