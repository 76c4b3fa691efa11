/** One API request with all that is known of it. */

import type { Endpoint } from '../docker/endpoint.ts';
import type { LentPath } from '../docker/lent-paths.ts';
import type { QueryValues } from '../docker/query.ts';
import type { Unknown } from '../docker/read.ts';
import type { Json } from '../ground/json.ts';
import type { Identity } from './identity.ts';

export interface Call {
  readonly listener: string;
  readonly identity: Identity;
  /** Whose names the call speaks, and what it makes belongs to; null where clients see the engine as it is. */
  readonly namespace: string | null;
  readonly endpoint: Endpoint;
  /** The minor number of the API version that the call goes out with. */
  readonly version: number;
  readonly parameters: Readonly<Record<string, string>>;
  readonly query: QueryValues;
  /** Carried headers by lower-case name; each with all of its values, in order. */
  readonly headers: Readonly<Record<string, readonly string[]>>;
  /** A JSON body; null where there is none, or where it travels as a stream. */
  readonly body: Json;
  /** What was said beyond the table: carried on by listeners without policies. */
  readonly unknown: readonly Unknown[];
  /** The id of the container whose own socket the call came over; absent elsewhere. */
  readonly caller?: string;
  /** Of a create: where the container is to have a socket of its own, in place of the engine's. */
  readonly sockets?: readonly string[];
  /** Of a create: what of its caller's own file system the container is to mount. */
  readonly lent?: readonly LentPath[];
}
