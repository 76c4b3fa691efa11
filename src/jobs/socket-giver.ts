/** Who gives a container a socket of its own, as its create sees it. */

import type { Call } from '../exchange/call.ts';

export interface GivenSocket {
  /** The create as the engine is to read it. */
  readonly call: Call;
  /** The engine has made the container: the socket stands where it was asked for afterwards. @throws Refusal; then the container is gone again */
  made(container: string): Promise<void>;
  /** There will be no container. */
  failed(): Promise<void>;
}

export interface SocketGiver {
  /** The call has `sockets`, and speaks the engine's names. @throws Refusal */
  give(call: Call): Promise<GivenSocket>;
}
