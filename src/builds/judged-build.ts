/**
 * Has a build by the classic builder judged by what its Dockerfile takes from elsewhere, while its context passes, and
 * the images named as the engine knows them.
 */

import { type BuildCall, baseImageOf, buildOf, pullHeaders, pullQuery } from '../docker/build-call.ts';
import { readVersionAnswer } from '../docker/version-answer.ts';
import type { BodyStage } from '../exchange/body-stage.ts';
import type { BuildBase, BuildJudge, BuildNaming, BuildReading } from '../exchange/build-judge.ts';
import type { Call } from '../exchange/call.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import type { PolicyContext } from '../exchange/policy.ts';
import { pullImage } from '../exchange/pull-image.ts';
import { Refusal } from '../ground/refusal.ts';
import type { BodySink } from '../wire/message.ts';
import { TarFault } from '../wire/tar/tar-header.ts';
import { judgedContext } from './context/judged-context.ts';
import { rewrittenContext } from './context/rewritten-context.ts';
import { type Dialect, dialectsOf } from './dockerfile/dialect.ts';
import { DockerfileFault } from './dockerfile/logical-line.ts';
import { type NewName, rewriteNames } from './dockerfile/rewrite.ts';
import { type NamedSource, type NameEdit, readSources, type SourceReader } from './dockerfile/sources.ts';
import { OverrunFault } from './dockerfile/work.ts';

/**
 * Base images are pulled before their triggers are judged, with the build's own credentials: triggers are steps of the
 * build. Nothing is pulled that a judge has refused.
 */
export function buildReading(engine: EngineDesk): BuildReading {
  return (call, judges, context, naming) => {
    const build = buildOf(call);
    if (build === null) throw new Error(`${call.endpoint.id} is no build`);
    return stageOf(build, call, judges, context, engine, naming);
  };
}

function stageOf(
  build: BuildCall,
  { headers }: Call,
  judges: readonly BuildJudge[],
  context: PolicyContext,
  engine: EngineDesk,
  naming: BuildNaming | null,
): BodyStage {
  const over = new AbortController();
  const bases = new BaseImages(build, headers['x-registry-config']?.[0], context, engine, over.signal);
  const judgeImage = async (source: NamedSource): Promise<void> => {
    for (const judge of judges) await judge.image(source);
  };
  const readerOf = (file: string, names: NewName[]): SourceReader => {
    const rename = async (source: NamedSource, platform: string | null): Promise<BuildBase | null> => {
      await judgeImage(source);
      if (naming === null) return null;
      const { edit } = source;
      if (edit === null) throw triggeredImage(source);
      const { name, base } = await naming.image(source.text, writtenIn(file, edit), platform ?? build.platform);
      names.push({ edit, name });
      return base;
    };
    return {
      async image(source) {
        // The classic builder fails on mounts, whatever they name.
        if (source.use === 'mount') await judgeImage(source);
        else await rename(source, null);
      },
      address(text, line, certain) {
        for (const judge of judges) judge.address(text, line, certain);
      },
      label: (key, line) => naming?.label(key, line),
      async base(source, platform) {
        if (naming !== null) return rename(source, platform);
        await judgeImage(source);
        return bases.get(source.text, platform ?? build.platform);
      },
    };
  };
  const readAs = async (dialect: Dialect, file: string, faults: DockerfileFault[]): Promise<string | null> => {
    const names: NewName[] = [];
    try {
      await readSources(file, { dialect, arguments: build.arguments }, readerOf(file, names));
    } catch (fault) {
      if (!(fault instanceof DockerfileFault)) throw fault;
      faults.push(fault);
      return null;
    }
    return rewriteNames(file, names);
  };
  /** The file as the engine is to read it. */
  const readFile = async (file: string): Promise<string> => {
    const newest = readVersionAnswer(await context.lookUp('SystemVersion', {}))?.newest ?? null;
    const faults: DockerfileFault[] = [];
    const written = new Set<string>();
    for (const dialect of dialectsOf(newest)) {
      const one = await readAs(dialect, file, faults);
      if (one !== null) written.add(one);
    }
    const [only, ...others] = written;
    // What one reading refuses, an engine of the other one builds.
    if (only === undefined) throw faults[0];
    if (others.length > 0)
      throw new Refusal('unreadable-body', 'engines of different releases read the Dockerfile differently');
    return only;
  };
  return (onward, fail) => {
    const failed = (fault: unknown): void => fail(asRefusal(fault));
    const { dockerfile } = build;
    const ending = (sink: BodySink): BodySink => {
      const release = sink.release?.bind(sink);
      sink.release = () => {
        release?.();
        over.abort(new Error('the build is over'));
      };
      return sink;
    };
    try {
      if (naming !== null)
        return rewrittenContext(onward, { dockerfile, sentAs: naming.dockerfile, rewrite: readFile }, failed);
      const judge = async (file: string): Promise<void> => void (await readFile(file));
      return ending(judgedContext(onward, { dockerfile, judge }, failed));
    } catch (fault) {
      failed(fault);
      return { write: () => true, end: () => {}, abort: () => {}, onReady: null };
    }
  };
}

function triggeredImage({ text, line }: NamedSource): Refusal {
  return new Refusal(
    'refused',
    `Dockerfile:${line} takes files of ${text} by a trigger (ONBUILD), which a namespace does not serve`,
    {
      hint: 'write what the trigger does into the Dockerfile itself',
    },
  );
}

/** The image as the client has written it, with its variables. */
function writtenIn(file: string, { spans, before }: NameEdit): string {
  const text = spans.map(({ from, to }) => file.slice(from, to)).join('');
  return Buffer.from(text.slice(before.length), 'latin1').toString();
}

function asRefusal(fault: unknown): unknown {
  if (fault instanceof TarFault) return new Refusal('unreadable-body', `the build context ${fault.message}`);
  if (fault instanceof OverrunFault) return new Refusal('unreadable-body', `the Dockerfile ${fault.message}`);
  if (fault instanceof DockerfileFault) {
    return new Refusal('unreadable-body', `dockerfile parse error on line ${fault.line}: ${fault.message}`);
  }
  return fault;
}

class BaseImages {
  private readonly build: BuildCall;
  private readonly credentials: string | undefined;
  private readonly context: PolicyContext;
  private readonly engine: EngineDesk;
  private readonly over: AbortSignal;
  private readonly known = new Map<string, Promise<BuildBase | null>>();

  constructor(
    build: BuildCall,
    credentials: string | undefined,
    context: PolicyContext,
    engine: EngineDesk,
    over: AbortSignal,
  ) {
    this.build = build;
    this.credentials = credentials;
    this.context = context;
    this.engine = engine;
    this.over = over;
  }

  /** Null where the engine has none, and no registry can be asked. @throws Refusal where the pull fails */
  get(image: string, platform: string | null): Promise<BuildBase | null> {
    const key = `${platform} ${image}`;
    const found = this.known.get(key) ?? this.find(image, platform);
    this.known.set(key, found);
    return found;
  }

  private async find(image: string, platform: string | null): Promise<BuildBase | null> {
    const here = async () => baseImageOf(await this.context.lookUp('ImageInspect', { name: image }));
    // Another platform's image of the same name may have other triggers.
    const found = this.build.pulls || platform !== null ? null : await here();
    if (found !== null) return found;
    const query = pullQuery(image, platform);
    if (query === null) return here();
    try {
      await pullImage(this.engine, query, pullHeaders(this.credentials, image) ?? [], this.over);
    } catch (fault) {
      // An image that only the engine has is in no registry.
      const local = this.build.pulls ? null : await here();
      if (local === null) throw fault;
      return local;
    }
    return here();
  }
}
