/** What lies in a bucket below a prefix, page by page. */

import type { Bucket } from './bucket.ts';

export interface ListedObject {
  readonly key: string;
  readonly size: number;
  /** Milliseconds since 1970. */
  readonly changedMs: number;
}

/** Our own keys have no characters that XML would write otherwise. */
export async function* listObjects(bucket: Bucket, prefix: string): AsyncGenerator<ListedObject> {
  let after = '';
  for (;;) {
    const query = { 'list-type': '2', prefix, ...(after === '' ? {} : { 'start-after': after }) };
    const answer = await bucket.ask({ method: 'GET', key: '', query });
    if (answer === null) throw new Error('there is no such bucket');
    const text = await answer.body.text();
    for (const [, entry = ''] of text.matchAll(/<Contents>([\s\S]*?)<\/Contents>/g)) {
      const key = element(entry, 'Key');
      yield { key, size: Number(element(entry, 'Size')), changedMs: Date.parse(element(entry, 'LastModified')) };
      after = key;
    }
    if (element(text, 'IsTruncated') !== 'true') return;
  }
}

function element(text: string, name: string): string {
  return new RegExp(`<${name}>([^<]*)</${name}>`).exec(text)?.[1] ?? '';
}
