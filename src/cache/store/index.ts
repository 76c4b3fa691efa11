/** The stores that there are. */

export { FolderStore } from './folder-store.ts';
