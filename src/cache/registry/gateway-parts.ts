/** What a gateway consists of. */

import type { EngineNames } from './engine-names.ts';
import type { GatewayTally } from './gateway-tally.ts';
import type { Grants } from './grants.ts';
import type { OtherProcesses } from './other-processes.ts';
import type { SealedPlaces } from './sealed-places.ts';
import type { Upstream } from './upstream.ts';

export interface GatewayParts {
  readonly names: EngineNames;
  readonly grants: Grants;
  readonly others: OtherProcesses;
  /** Another one after a reload. */
  readonly upstream: () => Upstream;
  readonly places: SealedPlaces;
  readonly tally: GatewayTally;
  /** A registry that could not be asked, or a fault of our own. */
  readonly onFault: (registry: string, fault: Error) => void;
}
