/** The stores that there are. */

export type { BucketOptions } from './bucket.ts';
export { BucketStore } from './bucket-store.ts';
export { FolderStore } from './folder-store.ts';
