/** Everybody is `anonymous`: for listeners that only those can reach who may do everything anyway. */

import { z } from 'zod';
import type { AuthenticatorKind } from '../../exchange/authenticator.ts';
import type { Identity } from '../../exchange/identity.ts';

const options = z.strictObject({});

const anonymous: Identity = { user: 'anonymous', groups: [], claims: {}, by: 'anonymous' };

export const anonymousKind: AuthenticatorKind<typeof options> = {
  name: 'anonymous',
  options,
  create: () => ({ name: 'anonymous', challenge: null, identify: () => anonymous }),
};
