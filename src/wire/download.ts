/** One small file of another server, over the way out; whole, or not at all. */

import { rootCertificates } from 'node:tls';
import { formatSize } from '../ground/size.ts';
import { WayOut, type WayOutOptions } from './way-out.ts';

export interface Wanted {
  readonly headers: Readonly<Record<string, string>>;
  /** PEM: the only CA that is trusted for it. Absent: those of Node and of the site. */
  readonly ca?: string | undefined;
  readonly mostBytes: number;
  readonly deadlineMs: number;
}

/** An administrator has named the URL: it may have an inner address. No redirects. @throws Error */
export async function download(site: WayOutOptions, url: URL, wanted: Wanted): Promise<Buffer> {
  const { headers, mostBytes, deadlineMs } = wanted;
  const wayOut = new WayOut(site);
  try {
    const ca = wanted.ca === undefined ? [...rootCertificates, ...site.ca] : [wanted.ca];
    const out = wayOut.to({ ca, named: url, proxied: true });
    const answer = await out.send(url, { method: 'GET', headers, signal: AbortSignal.timeout(deadlineMs) });
    if (answer.statusCode !== 200) {
      answer.body.on('error', () => {});
      answer.body.destroy();
      throw new Error(`the answer is ${answer.statusCode}, not 200`);
    }
    const chunks: Buffer[] = [];
    let bytes = 0;
    for await (const chunk of answer.body as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes > mostBytes) throw new Error(`the answer is larger than ${formatSize(mostBytes)}`);
      chunks.push(chunk);
    }
    return Buffer.concat(chunks);
  } finally {
    await wayOut.close();
  }
}
