/** Calls that are about images: each as the engine is to be told of it, in the namespace's names. */

import { withNameless } from '../../docker/image-listings.ts';
import { formatReference, splitDomain, tagged } from '../../docker/image-reference.ts';
import { importsFiles, namedImages } from '../../docker/named-images.ts';
import { listIn } from '../../docker/named-things.ts';
import { imageNoticeOf } from '../../docker/noticed-events.ts';
import type { FilterValues } from '../../docker/query.ts';
import { loginAnswer, readCredentials, registryHostOf, serverAddressIn } from '../../docker/registry-credentials.ts';
import type { BodyStage } from '../../exchange/body-stage.ts';
import type { Call } from '../../exchange/call.ts';
import type { LoadJudge } from '../../exchange/load-judge.ts';
import type { OwnAnswer } from '../../exchange/namespacing.ts';
import type { Json } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import { ImageArchives } from './archives/image-archives.ts';
import type { EngineSide } from './engine-side.ts';
import type { ImageActs } from './image-acts.ts';
import { listFilter } from './image-filters.ts';
import type { ImageSettings } from './image-gateway.ts';
import { ImageNames } from './image-names.ts';
import { ImageRemoval } from './image-removal.ts';
import { MadeImages } from './made-images.ts';
import { needReference, OwnImages, repositoryOf, withGrant, withoutCredentials } from './own-images.ts';

/** What becomes of a call; names of the engine's, which are told afterwards. */
export interface ImageStep {
  readonly call: Call;
  /** What is answered without carrying the call. */
  readonly answer?: OwnAnswer;
  /** What the body of the call, and what the engine's answer, pass through. */
  readonly load?: (judges: readonly LoadJudge[]) => BodyStage;
  readonly through?: BodyStage;
  /** What of the engine's answer is shown, in the client's names. */
  readonly show?: (told: Json) => Json;
  /** When the call is over, however. `failed`: it was not done. */
  readonly ended?: (failed: boolean) => void;
}

export class ImageCalls {
  private readonly images: OwnImages;
  private readonly acts: ImageActs;
  private readonly removal: ImageRemoval;
  private readonly made: MadeImages;
  private readonly archives: ImageArchives;

  /** `label` is that of the namespace's own containers. */
  constructor(images: OwnImages, { desk, imageActs }: EngineSide, settings: ImageSettings, label: string) {
    this.acts = imageActs;
    this.images = images;
    this.archives = new ImageArchives(images, desk, imageActs);
    this.made = new MadeImages(images, desk, imageActs);
    this.removal = new ImageRemoval(images, {
      desk,
      acts: imageActs,
      containers: async () =>
        listIn('container', await desk.ask('ContainerList', { query: { all: true, filters: { label: [label] } } })),
      imagesOf: (namespace) => new OwnImages(new ImageNames(namespace, settings), desk),
    });
  }

  /** Whether an event tells of an image of the namespace, as its clients may know. */
  showsEvent(event: Json): boolean {
    const notice = imageNoticeOf(event);
    if (notice === null) return false;
    const { names } = this.images;
    const name = [notice.name, notice.id].find((one) => names.isOwn(one));
    return name === undefined ? this.acts.ownerOf(event) === names.namespace : !names.isUnnamed(name);
  }

  /** Null for a call that is not about images. @throws Refusal */
  async enter(call: Call): Promise<ImageStep | null> {
    switch (call.endpoint.id) {
      case 'ImageCreate':
        return importsFiles(call) ? this.made.import(call) : this.pull(call);
      case 'SystemAuth':
        return { call, answer: await this.login(call) };
      case 'ImagePush':
        return this.push(call);
      case 'DistributionInspect':
        return this.ask(call);
      case 'ImageGet':
      case 'ImageGetAll':
        return this.archives.save(call);
      case 'ImageLoad':
        return { call, ...(await this.archives.load()) };
      case 'ImageTag':
        return this.tag(call);
      case 'ImageList':
        return this.list(call);
      case 'ImageDelete':
        return { call, answer: await this.removal.remove(call) };
      case 'ImagePrune':
        return { call, answer: await this.removal.prune(call) };
      case 'ImageSearch':
        this.images.needRegistry(searchedAt(String(call.query.term ?? '')), 'query.term');
        // It is the engine that asks, and the credentials would be for it to keep.
        return { call: withoutCredentials(call) };
      case 'ImageInspect':
      case 'ImageHistory':
      case 'ImageAttestations':
        return { call: await this.images.translate(call) };
      default:
        return null;
    }
  }

  /** A `docker commit`, its container named as the engine knows it. @throws Refusal */
  async commit(call: Call): Promise<ImageStep> {
    return { call: await this.made.commit(call) };
  }

  /** The registry itself says whether it knows the client, and is asked from here. */
  private async login({ body }: Call): Promise<OwnAnswer> {
    const address = serverAddressIn(body);
    this.images.needRegistry(registryHostOf(address), 'serveraddress');
    const answer = await this.images.names.needGateway().checkLogin(address, readCredentials(body));
    const { status } = answer;
    if (status !== 200) return { status, body: { message: answer.message } };
    return { status, body: loginAnswer(answer.identity) };
  }

  private async pull(call: Call): Promise<ImageStep> {
    const [image] = namedImages(call);
    if (image === undefined) throw new Refusal('unreadable-query', 'no image is named', { place: 'query.fromImage' });
    const reference = needReference(image.text, image.place);
    const { domain, path } = this.images.names.toEngine(reference);
    const grant = this.images.issue({ pull: [repositoryOf(reference)] }, call);
    try {
      // What the name stands for now may lose it.
      if (reference.digest === null && reference.tag !== null) await this.images.keepFormer(reference, null);
      const query = { ...call.query, fromImage: `${domain}/${path}`, tag: reference.digest ?? reference.tag ?? '' };
      return { call: withGrant({ ...call, query }, grant), ended: () => grant.end() };
    } catch (fault) {
      grant.end();
      throw fault;
    }
  }

  private push(call: Call): ImageStep {
    const reference = needReference(call.parameters.name ?? '', 'path.name');
    const grant = this.images.issue({ push: [repositoryOf(reference)] }, call);
    const parameters = { ...call.parameters, name: formatReference(this.images.names.toEngine(reference)) };
    return { call: withGrant({ ...call, parameters }, grant), ended: () => grant.end() };
  }

  private ask(call: Call): ImageStep {
    const reference = needReference(call.parameters.name ?? '', 'path.name');
    const grant = this.images.issue({ pull: [repositoryOf(reference)] }, call);
    const parameters = { ...call.parameters, name: formatReference(this.images.names.toEngine(reference)) };
    return { call: withGrant({ ...call, parameters }, grant), ended: () => grant.end() };
  }

  private async tag(call: Call): Promise<ImageStep> {
    const found = await this.images.need(call.parameters.name ?? '');
    const [image] = namedImages(call);
    const target = needReference(image?.text ?? '', 'query.repo');
    if (target.digest !== null) {
      throw new Refusal('unreadable-query', 'refusing to create a tag with a digest reference', {
        place: 'query.repo',
      });
    }
    const named = tagged(target);
    await this.images.keepFormer(named, found.id);
    const { domain, path, tag } = this.images.names.toEngine(named);
    return {
      call: {
        ...call,
        parameters: { ...call.parameters, name: found.spelling },
        query: { ...call.query, repo: `${domain}/${path}`, tag: tag as string },
      },
    };
  }

  private async list(call: Call): Promise<ImageStep> {
    const said = (call.query.filters ?? {}) as FilterValues;
    const { reference = [], dangling = [], ...others } = said;
    const { filter: legacy, ...query } = call.query;
    const patterns = typeof legacy === 'string' && legacy !== '' ? [...reference, legacy] : reference;
    const filtered = listFilter(patterns, dangling);
    const sent = await this.images.translate({ ...call, query: { ...query, filters: others } });
    const show = (told: Json): Json => withNameless(filtered(told), call.version);
    return { call: sent, show };
  }
}

/** Where the engine looks for what is searched: as for a reference, the first component may be a registry. */
function searchedAt(term: string): string {
  return splitDomain(`${term}/`).domain;
}
