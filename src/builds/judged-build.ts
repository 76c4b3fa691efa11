/** Has a build by the classic builder judged by what its Dockerfile takes from elsewhere, while its context passes. */

import { type BuildCall, baseImageOf, buildOf, progressFault, pullHeaders, pullQuery } from '../docker/build-call.ts';
import { readVersionAnswer } from '../docker/version-answer.ts';
import type { BodyStage } from '../exchange/body-stage.ts';
import type { BuildJudge, BuildReading } from '../exchange/build-judge.ts';
import type { Call } from '../exchange/call.ts';
import type { EngineDesk } from '../exchange/engine-desk.ts';
import type { PolicyContext } from '../exchange/policy.ts';
import { Refusal } from '../ground/refusal.ts';
import { judgedContext } from './context/judged-context.ts';
import { TarFault } from './context/tar-header.ts';
import { type Dialect, dialectsOf } from './dockerfile/dialect.ts';
import { DockerfileFault } from './dockerfile/logical-line.ts';
import { type BaseImage, type NamedSource, readSources } from './dockerfile/sources.ts';

/** A pull may take as long until its registry says something. */
const PULL_MS = 10 * 60_000;

/**
 * Base images are pulled before their triggers are judged, with the build's own credentials: triggers are steps of the
 * build. Nothing is pulled that a judge has refused.
 */
export function buildReading(engine: EngineDesk): BuildReading {
  return (call, judges, context) => {
    const build = buildOf(call);
    if (build === null) throw new Error(`${call.endpoint.id} is no build`);
    return stageOf(build, call, judges, context, engine);
  };
}

function stageOf(
  build: BuildCall,
  { headers }: Call,
  judges: readonly BuildJudge[],
  context: PolicyContext,
  engine: EngineDesk,
): BodyStage {
  const judgeImage = async (source: NamedSource): Promise<void> => {
    for (const judge of judges) await judge.image(source);
  };
  const bases = new BaseImages(build, headers['x-registry-config']?.[0], context, engine);
  const judgeFile = async (file: string): Promise<void> => {
    const newest = readVersionAnswer(await context.lookUp('SystemVersion', {}))?.newest ?? null;
    const faults: DockerfileFault[] = [];
    const dialects = dialectsOf(newest);
    for (const dialect of dialects) await readAs(dialect, file, faults);
    const [fault] = faults;
    // What one reading refuses, an engine of the other one builds.
    if (fault !== undefined && faults.length === dialects.length) throw fault;
  };
  const readAs = async (dialect: Dialect, file: string, faults: DockerfileFault[]): Promise<void> => {
    try {
      await readSources(
        file,
        { dialect, arguments: build.arguments },
        {
          image: judgeImage,
          address(text, line, certain) {
            for (const judge of judges) judge.address(text, line, certain);
          },
          async base(source, platform) {
            await judgeImage(source);
            return bases.get(source.text, platform ?? build.platform);
          },
        },
      );
    } catch (fault) {
      if (!(fault instanceof DockerfileFault)) throw fault;
      faults.push(fault);
    }
  };
  return (onward, fail) => {
    const failed = (fault: unknown): void => fail(asRefusal(fault));
    try {
      return judgedContext(onward, { dockerfile: build.dockerfile, judge: judgeFile }, failed);
    } catch (fault) {
      failed(fault);
      return { write: () => true, end: () => {}, abort: () => {}, onReady: null };
    }
  };
}

function asRefusal(fault: unknown): unknown {
  if (fault instanceof TarFault) return new Refusal('unreadable-body', `the build context ${fault.message}`);
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
  private readonly known = new Map<string, Promise<BaseImage | null>>();

  constructor(build: BuildCall, credentials: string | undefined, context: PolicyContext, engine: EngineDesk) {
    this.build = build;
    this.credentials = credentials;
    this.context = context;
    this.engine = engine;
  }

  /** Null where the engine has none, and no registry can be asked. @throws Refusal where the pull fails */
  get(image: string, platform: string | null): Promise<BaseImage | null> {
    const key = `${platform} ${image}`;
    const found = this.known.get(key) ?? this.find(image, platform);
    this.known.set(key, found);
    return found;
  }

  private async find(image: string, platform: string | null): Promise<BaseImage | null> {
    const here = async () => baseImageOf(await this.context.lookUp('ImageInspect', { name: image }));
    // Another platform's image of the same name may have other triggers.
    const found = this.build.pulls || platform !== null ? null : await here();
    if (found !== null) return found;
    const query = pullQuery(image, platform);
    if (query === null) return here();
    try {
      await this.pull(image, query);
    } catch (fault) {
      // An image that only the engine has is in no registry.
      const local = this.build.pulls ? null : await here();
      if (local === null) throw fault;
      return local;
    }
    return here();
  }

  private pull(image: string, query: Parameters<EngineDesk['follow']>[1]['query'] & object): Promise<void> {
    const headers = pullHeaders(this.credentials, image) ?? [];
    return new Promise((resolve, reject) => {
      let failed: string | null = null;
      this.engine.follow(
        'ImageCreate',
        { query, headers, deadlineMs: PULL_MS },
        {
          onBegin: () => {},
          onDocument: (line) => {
            failed ??= progressFault(line);
          },
          onEnd: (fault) => {
            if (fault === null && failed === null) resolve();
            else reject(new Refusal('not-found', failed ?? `pull access denied for ${image}: ${fault?.message}`));
          },
        },
      );
    });
  }
}
