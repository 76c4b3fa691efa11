/**
 * A build by the classic builder in a namespace: its images are the namespace's own, pulled through the gateway before
 * its first step; its steps run in the namespace's network; nothing of it is taken from, or left to, the cache of others.
 */

import { randomBytes } from 'node:crypto';
import { baseImageOf, buildOf, onNetwork, pullHeaders, pullQuery } from '../../docker/build-call.ts';
import { builtImages, carriedBuild, stageImageIn, stepImageIn, withBuildWords } from '../../docker/carried-build.ts';
import { imageIn, imagesIn } from '../../docker/image-listings.ts';
import { formatReference, readReference, tagged } from '../../docker/image-reference.ts';
import { messageIn, withMessage } from '../../docker/named-things.ts';
import { RESERVED_PREFIX } from '../../docker/reserved-labels.ts';
import { markedBuild } from '../../docker/step-containers.ts';
import type { BuildNaming } from '../../exchange/build-judge.ts';
import type { Call } from '../../exchange/call.ts';
import type { EngineDesk } from '../../exchange/engine-desk.ts';
import { refuse } from '../../exchange/judge.ts';
import type { Passage } from '../../exchange/namespacing.ts';
import { pullImage } from '../../exchange/pull-image.ts';
import type { Json } from '../../ground/json.ts';
import { Refusal } from '../../ground/refusal.ts';
import { isJobId } from '../../jobs/job-id.ts';
import { DEFAULT_NETWORK } from './names.ts';
import { needReference, type OwnImages, repositoryOf, withGrant } from './own-images.ts';
import { RULE } from './references.ts';
import type { SharedSteps } from './shared-steps.ts';

/** Many patterns of `.dockerignore` fit it, so that nothing has to be added to them. */
const DOCKERFILE = 'Dockerfile.berthgate.log';
/** Sources of the cache: their names stand in the head of a call. */
const MOST_SOURCES = 200;
/** Of a default network that nobody is attached to between two steps. */
const KEEP_MS = 20_000;

interface SaidName {
  readonly engine: string;
  readonly client: string;
  /** As it stands in the Dockerfile, which steps repeat. */
  readonly written: string;
}

export interface BuildSide {
  readonly images: OwnImages;
  readonly desk: EngineDesk;
  /** The default network stays, though nobody is attached to it. */
  readonly keepNetwork: () => void;
  /** What builds of several namespaces have in common; null where it is one namespace's alone. */
  readonly cache: SharedSteps | null;
}

/** In the client's names: what the engine would choose by itself is named. @throws Refusal for what no namespace builds */
export function beforeBuild(call: Call): Call {
  const build = buildOf(call);
  if (build === null) throw new Error(`${call.endpoint.id} is no build`);
  if (build.byBuildKit) {
    throw refuse(RULE, 'endpoint', 'a namespace does not build with BuildKit', {
      place: 'query.version',
      hint: 'set DOCKER_BUILDKIT=0',
    });
  }
  if (!build.brought) {
    throw refuse(RULE, 'endpoint', 'must be empty: a namespace builds from contexts that the client sends', {
      place: 'query.remote',
    });
  }
  return { ...call, query: onNetwork(call.query, DEFAULT_NETWORK) };
}

export class OwnBuild {
  private readonly side: BuildSide;
  private readonly said: Call;
  private readonly passed: Passage;
  private readonly images: SaidName[] = [];
  private readonly bases = new Set<string>();
  /** Found by one reading of the Dockerfile, and needed by another one. */
  private readonly found = new Map<string, ReturnType<BuildNaming['image']>>();
  private stage: string | null = null;
  private readonly sinceMs = Date.now();
  private readonly over = new AbortController();

  /** `said` is the call of the client, `passed` what becomes of it and of its answers but for images. */
  constructor(said: Call, passed: Passage, side: BuildSide) {
    this.said = said;
    this.passed = passed;
    this.side = side;
  }

  /** @throws Refusal */
  async enter(): Promise<Passage> {
    const { said } = this;
    const { call: named, names } = this.passed;
    const { images, keepNetwork, cache } = this.side;
    const build = buildOf(said);
    if (build === null) throw new Error(`${said.endpoint.id} is no build`);
    const references = build.tags.map((tag) => tagged(needReference(tag, 'query.t')));
    for (const reference of references) await images.keepFormer(reference, null);
    const { repository, tag } = images.names.unnamed(randomBytes(32).toString('hex'));
    const unnamed = `${repository}:${tag}`;
    const sources = build.cacheSources.length > 0 ? await this.named(build.cacheSources) : await this.built();
    const tags = references.map((one) => formatReference(images.names.toEngine(one)));
    const query = carriedBuild(markedBuild(named.query, images.names.namespace), {
      dockerfile: DOCKERFILE,
      tags: [...(tags.length > 0 ? tags : [unnamed]), ...(cache === null ? [] : [cache.name()])],
      // Without sources the engine would take steps of everybody; with one that is not there it takes none.
      cacheSources: sources.length > 0 ? sources : [unnamed],
      temporary: isJobId(images.names.namespace),
    });
    const { 'x-registry-config': _, 'x-registry-auth': __, ...headers } = named.headers;
    const timer = setInterval(keepNetwork, KEEP_MS).unref();
    return {
      call: { ...named, query, headers },
      answer: null,
      build: {
        dockerfile: DOCKERFILE,
        image: (text, written, platform) => this.image(said, text, written, platform),
        label: (key, line) => refuseReserved(key, `Dockerfile:${line}`),
      },
      names: {
        told: (document, status) => {
          const line =
            status >= 400 ? withMessage(document, this.inClientWords(messageIn(document), false)) : this.line(document);
          return line === undefined ? undefined : names.told(line, status);
        },
        toldText: (text) => names.toldText(this.inClientWords(text, false)),
      },
      ended: () => {
        clearInterval(timer);
        this.over.abort(new Error('the build is over'));
      },
    };
  }

  private image(call: Call, text: string, written: string, platform: string | null): ReturnType<BuildNaming['image']> {
    const key = `${platform} ${text}`;
    const found = this.found.get(key) ?? this.find(call, text, platform);
    this.found.set(key, found);
    return found.then((image) => {
      // The first one counts.
      if (!this.images.some(({ engine }) => engine === image.name))
        this.images.push({ engine: image.name, client: text, written });
      return image;
    });
  }

  private async find(call: Call, text: string, platform: string | null): ReturnType<BuildNaming['image']> {
    const { images } = this.side;
    const pulls = buildOf(call)?.pulls === true;
    const here = pulls || platform !== null ? null : await images.find(text);
    if (here !== null) return this.baseOf(here.spelling, text);
    const reference = readReference(text);
    const query = pullQuery(text, platform);
    const local = await images.find(text);
    // An id is in no registry; nor is what everybody shares under the engine's own name.
    if (reference === null || query === null || local?.byId === true || local?.shared === true) {
      if (local !== null) return this.baseOf(local.spelling, text);
      throw new Refusal(
        'not-found',
        reference === null ? `invalid reference format: ${text}` : `No such image: ${text}`,
      );
    }
    try {
      await this.pull(call, text, platform);
    } catch (fault) {
      // An image that was only ever built here is in no registry.
      if (local === null || pulls || !(fault instanceof Refusal)) throw fault;
      return this.baseOf(local.spelling, text);
    }
    return this.baseOf(formatReference(images.names.toEngine(tagged(reference))), text);
  }

  /** With the credentials that the build brings for the registry of the image. */
  private async pull({ headers, ...call }: Call, text: string, platform: string | null): Promise<void> {
    const { images, desk } = this.side;
    const reference = tagged(needReference(text, 'Dockerfile'));
    const [, said] = pullHeaders(headers['x-registry-config']?.[0], text) ?? [];
    const asked: Call = { ...call, headers: said === undefined ? {} : { 'x-registry-auth': [said] } };
    const grant = images.issue({ pull: [repositoryOf(reference)] }, asked);
    try {
      this.over.signal.throwIfAborted();
      if (reference.digest === null) await images.keepFormer(reference, null);
      const query = pullQuery(formatReference(images.names.toEngine(reference)), platform);
      const [auth = ''] = withGrant(asked, grant).headers['x-registry-auth'] ?? [];
      await pullImage(desk, query ?? {}, ['X-Registry-Auth', auth], this.over.signal);
    } catch (fault) {
      throw fault instanceof Refusal
        ? new Refusal(fault.code, this.passed.names.toldText(fault.message), { cause: fault })
        : fault;
    } finally {
      grant.end();
    }
  }

  private async baseOf(name: string, text: string): ReturnType<BuildNaming['image']> {
    const inspection = await this.side.desk.ask('ImageInspect', { parameters: { name } });
    const image = imageIn(inspection);
    const base = baseImageOf(inspection);
    if (image === null || base === null) throw new Refusal('not-found', `No such image: ${text}`);
    // The containers of its steps would carry them, and so would images made of them.
    // What a commit has left of a container's says nothing.
    for (const [key, value] of Object.entries(image.labels)) if (value !== '') refuseReserved(key, text);
    this.bases.add(image.id);
    return { name, base };
  }

  /** The engine goes on without those that are not there. */
  private async named(texts: readonly string[]): Promise<readonly string[]> {
    const found = await Promise.all(texts.map((text) => this.side.images.find(text)));
    return found.flatMap((image) => image?.spelling ?? []);
  }

  /** What the namespace has built: the engine then takes its steps alone from the cache, and nobody else's. */
  private async built(): Promise<readonly string[]> {
    const { images, desk, cache } = this.side;
    const list = await desk.ask('ImageList', { query: { digests: true } });
    cache?.trim(imagesIn(list));
    const isOwn = ({ tags }: { readonly tags: readonly string[] }): boolean =>
      tags.some((tag) => images.names.isOwn(tag) || cache?.has(tag) === true);
    const own = new Set(imagesIn(list).flatMap((image) => (isOwn(image) ? image.id : [])));
    return builtImages(list, (id) => own.has(id), MOST_SOURCES);
  }

  private line(document: Json): Json | undefined {
    this.keepStage(stageImageIn(document));
    this.keepStep(stepImageIn(document));
    return withBuildWords(document, {
      output: (text) => {
        const [, tag] = /^Successfully tagged (\S+)/.exec(text) ?? [];
        const { images, cache } = this.side;
        if (tag !== undefined && (images.names.isUnnamed(tag) || cache?.has(tag) === true)) return undefined;
        return this.inClientWords(text, /^Step \d+\/\d+ : /.test(text));
      },
      fault: (text) => this.inClientWords(text, false),
    });
  }

  private keepStage(id: string | null): void {
    if (id === null) return;
    const { stage } = this;
    this.stage = id;
    if (stage === null || stage === id || this.bases.has(stage)) return;
    // Without it the next build only takes longer.
    void this.side.images.keep(stage).catch(() => {});
    this.side.cache?.keep(stage);
  }

  /** A build that is cut off leaves its steps, and nobody would know whose they were. */
  private keepStep(start: string | null): void {
    if (start === null || !isJobId(this.side.images.names.namespace)) return;
    if ([...this.bases].some((id) => id.startsWith(`sha256:${start}`))) return;
    void this.keepNew(start).catch(() => {});
  }

  /** What a step prints looks the same: what has a name, or was there before the build, is no step of it. */
  private async keepNew(start: string): Promise<void> {
    const { images, desk } = this.side;
    const image = imageIn(await desk.ask('ImageInspect', { parameters: { name: start } }));
    if (image === null || image.tags.length + image.digests.length > 0 || image.createdMs < this.sinceMs) return;
    await images.keep(image.id);
  }

  private inClientWords(text: string, asWritten: boolean): string {
    const { dockerfile = '' } = buildOf(this.said) ?? {};
    return this.images
      .toSorted((one, other) => other.engine.length - one.engine.length)
      .reduce((told, { engine, client, written }) => told.replaceAll(engine, asWritten ? written : client), text)
      .replaceAll(DOCKERFILE, dockerfile === '' ? 'Dockerfile' : dockerfile);
  }
}

/** @throws Refusal */
function refuseReserved(key: string, place: string): void {
  if (!key.startsWith(RESERVED_PREFIX)) return;
  throw refuse(
    RULE,
    'reserved',
    `must not say ${JSON.stringify(key)}: labels that begin with ${RESERVED_PREFIX} are Berthgate's`,
    {
      place,
    },
  );
}
