/** Images that a namespace makes of what it has, or brings along: each has a name of it from the moment that it is there. */

import { randomBytes } from 'node:crypto';
import { committedConfig } from '../../docker/committed-image.ts';
import type { ImageReference } from '../../docker/image-reference.ts';
import { tagged } from '../../docker/image-reference.ts';
import { importedFrom, namedImages } from '../../docker/named-images.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import { Refusal } from '../../ground/refusal.ts';
import type { ImageActs } from './image-acts.ts';
import { needReference, type OwnImages } from './own-images.ts';
import { RULE } from './references.ts';

export class MadeImages {
  private readonly images: OwnImages;
  private readonly desk: EngineDesk;
  private readonly acts: ImageActs;

  constructor(images: OwnImages, desk: EngineDesk, acts: ImageActs) {
    this.acts = acts;
    this.images = images;
    this.desk = desk;
  }

  /** `docker commit`, its container named as the engine knows it. @throws Refusal */
  async commit(call: Call): Promise<Call> {
    const { query, body } = call;
    const inspection = await this.desk.ask('ContainerInspect', { parameters: { id: String(query.container ?? '') } });
    return this.named({ ...call, body: committedConfig(inspection, body) });
  }

  /** `docker import`. @throws Refusal */
  async import(call: Call): Promise<{ readonly call: Call; readonly ended: (failed: boolean) => void }> {
    if (importedFrom(call) !== null) {
      throw refuse(RULE, 'address', 'must be -: the engine would fetch it from its own network', {
        place: 'query.fromSrc',
        hint: 'fetch it yourself, and pipe it into `docker import -`',
      });
    }
    const named = await this.named(call);
    const { repo = '', tag = '' } = named.query;
    const acts = this.acts.begin(this.images.names.namespace);
    acts.expectImport(`${repo}:${tag}`);
    return { call: named, ended: acts.over };
  }

  /** An image without a name is kept by one that nobody is shown. */
  private async named(call: Call): Promise<Call> {
    const [image] = namedImages(call);
    if (image === undefined) {
      const { repository, tag } = this.images.names.unnamed(randomBytes(32).toString('hex'));
      return { ...call, query: { ...call.query, repo: repository, tag } };
    }
    const reference = needName(image.text);
    await this.images.keepFormer(reference, null);
    const { domain, path, tag } = this.images.names.toEngine(reference);
    return { ...call, query: { ...call.query, repo: `${domain}/${path}`, tag: tag as string } };
  }
}

/** In dockerd's words. */
function needName(text: string): ImageReference {
  const reference = needReference(text, 'query.repo');
  if (reference.digest === null) return tagged(reference);
  throw new Refusal('unreadable-query', 'cannot import digest reference', { place: 'query.repo' });
}
