/** What the rest of Berthgate uses of the listeners. */

export { findIncumbent, offerHandOver, type TakenSockets, takeOver } from './hand-over.ts';
export { takeInheritedSockets } from './inherited-sockets.ts';
export { Listener, type ListenerSetup } from './listener.ts';
export { type OpenSocket, openSockets, prepareAccess } from './open-sockets.ts';
export { closeDescriptor, type DescriptorPassing, descriptorOf, loadDescriptorPassing } from './pass-descriptors.ts';
export { findServiceManager, type ServiceManager } from './service-manager.ts';
export type { SocketAccess } from './unix-socket.ts';
