/** What a manifest or an index names, by digest (OCI image specification, "descriptor"). */

import { isDigest } from '../../docker/image-reference.ts';

interface Descriptors {
  readonly manifests: readonly string[];
  readonly blobs: readonly string[];
}

/** Empty for what is none: old forms, and nonsense. */
function readDescriptors(bytes: Buffer): Descriptors {
  let said: unknown;
  try {
    said = JSON.parse(bytes.toString());
  } catch {
    return { manifests: [], blobs: [] };
  }
  if (typeof said !== 'object' || said === null) return { manifests: [], blobs: [] };
  const { manifests, config, layers } = said as Readonly<Record<string, unknown>>;
  return { manifests: digestsOf(manifests), blobs: [...digestsOf([config]), ...digestsOf(layers)] };
}

export function descriptorsIn(bytes: Buffer): readonly string[] {
  return readDescriptors(bytes).blobs;
}

function digestsOf(list: unknown): readonly string[] {
  if (!Array.isArray(list)) return [];
  return list
    .map((one) => (one as { readonly digest?: unknown } | null)?.digest)
    .filter((one): one is string => typeof one === 'string' && isDigest(one));
}
