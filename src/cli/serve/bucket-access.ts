/** How a bucket is reached, and as whom: from the variables that all programs for S3 read. */

import type { BucketOptions } from '../../cache/store/index.ts';

type Access = Omit<BucketOptions, 'out'>;

const DEFAULT_REGION = 'us-east-1';

/** @throws Error that names the variable */
export function bucketAccess(bucket: string, env: Readonly<Record<string, string | undefined>>): Access {
  const given = (name: string): string | undefined => (env[name] === '' ? undefined : env[name]);
  const needed = (name: string): string => {
    const value = given(name);
    if (value === undefined) throw new Error(`the variable ${name} is not set`);
    return value;
  };
  const region = given('AWS_REGION') ?? given('AWS_DEFAULT_REGION') ?? DEFAULT_REGION;
  return {
    url: bucketUrl(bucket, region, given('AWS_ENDPOINT_URL_S3') ?? given('AWS_ENDPOINT_URL')),
    region,
    accessKeyId: needed('AWS_ACCESS_KEY_ID'),
    secretAccessKey: needed('AWS_SECRET_ACCESS_KEY'),
    sessionToken: given('AWS_SESSION_TOKEN'),
  };
}

/** Servers of one's own know buckets by the path; a name with dots has no certificate as a host. */
function bucketUrl(bucket: string, region: string, endpoint: string | undefined): URL {
  if (endpoint !== undefined) {
    if (!URL.canParse(endpoint)) throw new Error(`the variable AWS_ENDPOINT_URL is no URL: ${endpoint}`);
    return new URL(`${endpoint.replace(/\/+$/, '')}/${bucket}/`);
  }
  return bucket.includes('.')
    ? new URL(`https://s3.${region}.amazonaws.com/${bucket}/`)
    : new URL(`https://${bucket}.s3.${region}.amazonaws.com/`);
}
