/** What the rest of Berthgate uses of the listeners. */

export {
  findIncumbent,
  type HandOverOptions,
  type Incumbent,
  offerHandOver,
  type TakenSockets,
  takeOver,
} from './hand-over.ts';
export { takeInheritedSockets } from './inherited-sockets.ts';
export { type CallServer, Listener, type ListenerLog, type ListenerSetup } from './listener.ts';
export { type OpenHow, type OpenSocket, openSockets } from './open-sockets.ts';
export { type DescriptorPassing, loadDescriptorPassing } from './pass-descriptors.ts';
