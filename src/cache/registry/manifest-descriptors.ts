/** What a manifest or an index names, by digest (OCI image specification, "descriptor"). */

import { isDigest } from '../../docker/image-reference.ts';

export interface Descriptor {
  readonly digest: string;
  /** 0 where it is not said. */
  readonly size: number;
  /** `linux/amd64`, `linux/arm/v7`; null where it is not said. */
  readonly platform: string | null;
}

export interface Descriptors {
  /** Of an index. */
  readonly manifests: readonly Descriptor[];
  /** The configuration and the layers of one image. */
  readonly blobs: readonly Descriptor[];
}

/** Empty for what is none: old forms, and nonsense. */
export function readDescriptors(bytes: Buffer): Descriptors {
  let said: unknown;
  try {
    said = JSON.parse(bytes.toString());
  } catch {
    return { manifests: [], blobs: [] };
  }
  if (typeof said !== 'object' || said === null) return { manifests: [], blobs: [] };
  const { manifests, config, layers } = said as Readonly<Record<string, unknown>>;
  return { manifests: readAll(manifests), blobs: [...readAll([config]), ...readAll(layers)] };
}

function readAll(list: unknown): readonly Descriptor[] {
  if (!Array.isArray(list)) return [];
  return list.flatMap((one: unknown) => {
    const { digest, size, platform } = (one ?? {}) as Readonly<Record<string, unknown>>;
    if (typeof digest !== 'string' || !isDigest(digest)) return [];
    return [{ digest, size: typeof size === 'number' && size > 0 ? size : 0, platform: platformOf(platform) }];
  });
}

function platformOf(platform: unknown): string | null {
  const { os, architecture, variant } = (platform ?? {}) as Readonly<Record<string, unknown>>;
  if (typeof os !== 'string' || typeof architecture !== 'string') return null;
  return [os, architecture, ...(typeof variant === 'string' && variant !== '' ? [variant] : [])].join('/');
}
