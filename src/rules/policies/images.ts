/** Which images may be pulled, run, built from and pushed to, and which names images may be given. */

import { z } from 'zod';
import { buildOf } from '../../docker/build-call.ts';
import { opensBuild } from '../../docker/buildkit-requests.ts';
import { formatReference, readReference, readsAsId, splitDomain, tagged } from '../../docker/image-reference.ts';
import {
  type ImageUse,
  importedFrom,
  importsFiles,
  type NamedImage,
  namedImages,
  namesInside,
  namesToldBy,
} from '../../docker/named-images.ts';
import type { BuildJudge } from '../../exchange/build-judge.ts';
import type { Call } from '../../exchange/call.ts';
import { refuse } from '../../exchange/judge.ts';
import type { LoadJudge } from '../../exchange/load-judge.ts';
import type { BuildSources, Policy, PolicyContext, PolicyKind, Verdict } from '../../exchange/policy.ts';
import { compileGlob, type Glob, globFault, globRegex } from '../../ground/glob.ts';
import type { Json } from '../../ground/json.ts';

const pattern = z.string().superRefine((text, ctx) => {
  const fault = globFault(text);
  if (fault !== undefined) ctx.addIssue({ code: 'custom', message: fault });
});

const list = z.strictObject({
  allow: z.array(pattern).min(1).optional().meta({ description: 'What may be named; absent: everything.' }),
  deny: z.array(pattern).default([]).meta({ description: 'What may not, though it is allowed.' }),
});

const options = z.strictObject({
  allow: z.array(pattern).min(1).optional().meta({ description: 'For every use that is not listed by itself.' }),
  deny: z.array(pattern).default([]).meta({ description: 'For every use.' }),
  pull: list.optional().meta({ description: 'What may be pulled, or asked for at its registry.' }),
  run: list.optional().meta({ description: 'What containers may be made of.' }),
  build: list.optional().meta({
    description:
      'What builds may take: by `FROM`, `COPY --from`, triggers, `--cache-from`; by BuildKit all that a Dockerfile names.',
  }),
  push: list.optional().meta({ description: 'What may be pushed to.' }),
  tag: list.optional().meta({
    description:
      'Which names may be given: by build, tag, commit, import and load. Without a namespace, where it is listed, `docker load` is refused.',
  }),
});

type Options = z.output<typeof options>;

export const imagesKind: PolicyKind<typeof options> = {
  name: 'images',
  options,
  create: (chosen) => new ImagesPolicy(chosen),
};

interface Rule {
  readonly allow: readonly Glob[] | null;
  readonly deny: readonly Glob[];
  /** As they are written, for the refusal. */
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
}

const uses: readonly ImageUse[] = ['pull', 'run', 'build', 'push', 'tag'];

const verbs: Readonly<Record<ImageUse, string>> = {
  pull: 'pulled',
  run: 'run',
  build: 'built from',
  push: 'pushed to',
  tag: 'given as a name',
};

class ImagesPolicy implements Policy {
  readonly name = 'images';
  private readonly rules: ReadonlyMap<ImageUse, Rule>;

  constructor(chosen: Options) {
    this.rules = new Map(uses.flatMap((use) => ruleOf(chosen, use)));
  }

  judge(call: Call, context: PolicyContext): Verdict | Promise<Verdict> {
    const load = this.judgeUnnamed(call);
    const images = namedImages(call).filter(({ use }) => this.rules.has(use));
    // CI runners name an image by the digest or the id that they have found for its tag.
    const ids = images.filter(({ use, text }) => use === 'run' && (readsAsId(text) || text.includes('@')));
    for (const image of images) if (!ids.includes(image)) this.judgeName(image);
    const build = this.judgeOfBuild(call, context);
    const rule = images.length === 0 && build === null ? 'no-image' : 'allowed';
    const passed: Verdict = {
      call,
      rule,
      changes: [],
      ...(build === null ? {} : { build }),
      ...(load === null ? {} : { load }),
      ...this.sourcesFor(call),
    };
    return ids.length === 0 ? passed : this.judgeIds(ids, context).then(() => passed);
  }

  private sourcesFor(call: Call): Pick<Verdict, 'sources'> {
    const build = this.rules.get('build');
    return build !== undefined && opensBuild(call.endpoint) ? { sources: sourcesOf(build) } : {};
  }

  /** Names that stand in an archive are judged where somebody reads them. */
  private judgeUnnamed(call: Call): LoadJudge | null {
    const source = importedFrom(call);
    if (source !== null && this.rules.has('pull')) {
      throw refuse(this.name, 'pull', 'must not be imported from an address', { place: 'query.fromSrc' });
    }
    if (!namesInside(call) || !this.rules.has('tag')) return null;
    if (call.namespace === null) {
      const hint = 'the names stand in the tar and cannot be judged; import and tag, or pull';
      throw refuse(this.name, 'tag', 'images cannot be loaded where their names are limited', { hint });
    }
    if (importsFiles(call)) return null;
    return { name: (text) => this.judgeName({ use: 'tag', place: 'archive', text, everyTag: false }) };
  }

  /** FROM and its like stand in the context, and are judged as it passes. */
  private judgeOfBuild(call: Call, context: PolicyContext): BuildJudge | null {
    if (!this.rules.has('build')) return null;
    const build = buildOf(call);
    if (build?.byBuildKit === true) {
      const hint = 'take a newer docker, or DOCKER_BUILDKIT=0: its Dockerfile does not come with the call';
      throw refuse(this.name, 'build', 'images of BuildKit cannot be judged', { hint });
    }
    if (build === null) return null;
    if (!build.brought) {
      const hint = 'what it builds from cannot be judged; send the files with the call';
      throw refuse(this.name, 'build', 'must not be an address', { place: 'query.remote', hint });
    }
    return {
      image: ({ text, line }) => this.judgeBuiltFrom(`Dockerfile:${line}`, text, context),
      address: () => {},
    };
  }

  private async judgeBuiltFrom(place: string, text: string, context: PolicyContext): Promise<void> {
    const image: NamedImage = { use: 'build', place, text, everyTag: false };
    // The classic builder takes ids, also the beginnings of them.
    if (readsAsId(text)) await this.judgeIds([image], context);
    else this.judgeName(image);
  }

  private judgeName(image: NamedImage): void {
    const reference = readReference(image.text);
    if (reference === null) throw refuse(this.name, image.use, 'is no reference of an image', { place: image.place });
    const { domain, path, tag, digest } = tagged(reference);
    // The engine does not look at a tag beside a digest: neither may a pattern.
    const version = image.everyTag ? { tag: '*', digest: null } : { tag: digest === null ? tag : null, digest };
    this.require(image, [formatReference({ domain, path, ...version })]);
  }

  /** An id is allowed where one of the names of its image is. */
  private async judgeIds(images: readonly NamedImage[], context: PolicyContext): Promise<void> {
    for (const image of images) {
      const found = await context.lookUp('ImageInspect', { name: image.text });
      if (found === null) this.judgeUnknown(image);
      else this.require(image, namesOf(found, image.text));
    }
  }

  /** The engine has nothing of this name or id: if it is none, the engine will say so. */
  private judgeUnknown(image: NamedImage): void {
    if (readReference(image.text) !== null) this.judgeName(image);
    else throw refuse(this.name, image.use, 'is no image that is here', { place: image.place });
  }

  private require(image: NamedImage, names: readonly string[]): void {
    const rule = this.rules.get(image.use);
    if (rule === undefined || permits(rule, names)) return;
    const named = names.length === 0 ? 'has no name' : names[0];
    const hint = rule.allowed.length === 0 ? undefined : `allowed: ${rule.allowed.slice(0, 8).join(', ')}`;
    throw refuse(this.name, image.use, `${named} must not be ${verbs[image.use]}`, {
      place: image.place,
      ...(hint === undefined ? {} : { hint }),
    });
  }
}

function permits({ allow, deny }: Rule, names: readonly string[]): boolean {
  const allowed = allow === null || names.some((name) => allow.some((glob) => glob(name)));
  return allowed && !names.some((name) => deny.some((glob) => glob(name)));
}

function ruleOf(chosen: Options, use: ImageUse): readonly (readonly [ImageUse, Rule])[] {
  const own = chosen[use];
  const allowed = own?.allow ?? chosen.allow;
  const denied = [...chosen.deny, ...(own?.deny ?? [])];
  if (allowed === undefined && denied.length === 0) return [];
  const allow = allowed === undefined ? null : allowed.map(compilePattern);
  return [[use, { allow, deny: denied.map(compilePattern), allowed: allowed ?? [], denied }]];
}

function sourcesOf({ allow, allowed, denied }: Rule): BuildSources {
  return { ...(allow === null ? {} : { allowed: allowed.map(patternRegex) }), denied: denied.map(patternRegex) };
}

/** What `compilePattern` matches, as a regular expression; BuildKit puts the digest behind the tag that it has looked up. */
export function patternRegex(text: string): string {
  const whole = text.startsWith('*') ? text : completed(text);
  const named = globRegex(whole, { separator: '/' });
  return `${named}${isVersioned(whole) ? '' : '(?::[^/@]*)?'}(?:@.*)?`;
}

function isVersioned(pattern: string): boolean {
  return /[:@]/.test(pattern.slice(pattern.lastIndexOf('/') + 1));
}

/**
 * A pattern is completed as a reference is: `debian:*` stands for `docker.io/library/debian:*`. One that says neither
 * tag nor digest stands for all of them.
 */
export function compilePattern(text: string): Glob {
  const whole = text.startsWith('*') ? text : completed(text);
  const named = compileGlob(whole, { separator: '/' });
  return isVersioned(whole) ? named : (reference) => named(reference) || named(nameOf(reference));
}

function completed(text: string): string {
  const { domain, rest } = splitDomain(text);
  return `${domain}/${rest}`;
}

function nameOf(reference: string): string {
  const last = reference.lastIndexOf('/') + 1;
  return reference.slice(0, last) + reference.slice(last).replace(/[:@].*$/s, '');
}

/** The names of an image that the engine has, whole; with the one that it was asked for by, if that is one. */
function namesOf(inspection: Json, text: string): readonly string[] {
  const told = namesToldBy(inspection);
  if (told === null) return [];
  const asked = text.includes('@') ? [text] : [];
  return [...asked, ...told].flatMap((name) => {
    const reference = readReference(name);
    return reference === null ? [] : [formatReference(reference)];
  });
}
