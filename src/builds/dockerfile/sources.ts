/**
 * What a build takes from elsewhere, as the classic builder would find it step by step: the images of FROM, of
 * COPY --from and of triggers, and the addresses of ADD.
 */

import type { BuildBase } from '../../exchange/build-judge.ts';
import type { Dialect } from './dialect.ts';
import { expand, type Variables } from './expand.ts';
import { ExpansionFault } from './expansion-fault.ts';
import {
  flag,
  fromLatin1,
  type Instruction,
  jsonStrings,
  readInstruction,
  toLatin1,
  triggered,
  type Word,
  words,
} from './instruction.ts';
import { argsOf, envOf } from './key-values.ts';
import { readLines } from './lines.ts';
import { DockerfileFault, type LogicalLine, type Span } from './logical-line.ts';
import { OverrunFault, Work } from './work.ts';

export interface NamedSource {
  readonly use: 'from' | 'copy' | 'mount';
  /** With its variables put in: a reference or an id of the client's. */
  readonly text: string;
  /** The line of the Dockerfile, from 1; of a trigger, that of its FROM. */
  readonly line: number;
  /** Null where it does not stand in this file, in a trigger of a base image, and of a mount. */
  readonly edit: NameEdit | null;
}

/** Where another name is written to. */
export interface NameEdit {
  readonly spans: readonly Span[];
  /** What stands before the name in there: `--from=`. */
  readonly before: string;
}

export interface SourceReader {
  /** Named by COPY --from. @throws what ends the reading */
  image(source: NamedSource): void | Promise<void>;
  /** Named by FROM. Null: nothing is known of it. @throws what ends the reading */
  base(source: NamedSource, platform: string | null): BuildBase | null | Promise<BuildBase | null>;
  /** Named by ADD; `certain` is false where it may be one. @throws what ends the reading */
  address(text: string, line: number, certain: boolean): void;
  /** A key of LABEL. @throws what ends the reading */
  label(key: string, line: number): void;
}

export interface Reading {
  readonly dialect: Dialect;
  /** Build arguments; null where one is named without a value. */
  readonly arguments: ReadonlyMap<string, string | null>;
}

/** Arguments that every build has without declaring them (moby, builder/dockerfile/buildargs.go). */
const builtIn: ReadonlySet<string> = new Set(
  ['HTTP_PROXY', 'HTTPS_PROXY', 'FTP_PROXY', 'NO_PROXY', 'ALL_PROXY'].flatMap((name) => [name, name.toLowerCase()]),
);

/**
 * Tells `reader` of every source in its order; `file` is latin1.
 * @throws DockerfileFault for what engines refuse, OverrunFault for what they may read
 */
export async function readSources(file: string, reading: Reading, reader: SourceReader): Promise<void> {
  const { lines, escapeToken } = readLines(file, reading.dialect);
  const instructions = lines.map((line) => readInstruction(line, escapeToken, reading.dialect));
  await new Evaluation(reading, reader, escapeToken).run(instructions);
}

/** Each is looked for, with calls of ours to the engine. Ten times what ordinary files name. */
const MOST_IMAGES = 250;
/** What is copied for each stage, and what is read anew for it. */
const WORK_OF_VARIABLE = 16;
const WORK_OF_TRIGGER = 128;

interface Stage {
  readonly name: string | null;
  readonly env: Map<string, string>;
  /** ARGs declared in the stage, with their defaults. */
  readonly declared: Map<string, string | null>;
  readonly triggers: string[];
  /** Whether all variables that the base image brings are known. */
  readonly baseKnown: boolean;
}

class Evaluation {
  private readonly reading: Reading;
  private readonly reader: SourceReader;
  private readonly escapeToken: string;
  private readonly meta = new Map<string, string | null>();
  /** The first one of a name counts. */
  private readonly stages = new Map<string, Stage>();
  /** With their platforms. */
  private readonly named = new Set<string>();
  private readonly work = new Work();
  private current: Stage | null = null;

  constructor(reading: Reading, reader: SourceReader, escapeToken: string) {
    this.reading = reading;
    this.reader = reader;
    this.escapeToken = escapeToken;
  }

  async run(instructions: readonly Instruction[]): Promise<void> {
    for (const instruction of instructions) {
      try {
        await this.take(instruction);
      } catch (fault) {
        if (fault instanceof ExpansionFault) throw new DockerfileFault(instruction.line.number, fault.message);
        throw fault;
      }
    }
  }

  private async take(instruction: Instruction): Promise<void> {
    const { name, rest } = instruction;
    if (name === 'from') return this.begin(instruction);
    const stage = this.current;
    if (stage !== null) return this.step(instruction, stage, null);
    if (name !== 'arg') return;
    const variables = this.variables(this.meta);
    // None of them sees another one of the same line.
    const pairs = argsOf(fromLatin1(rest), this.escapeToken).map(({ key, value }) => ({
      key: this.expand(key, variables),
      value: value === null ? null : this.expand(value, variables),
    }));
    for (const { key, value } of pairs) this.meta.set(key, value);
  }

  private async begin(instruction: Instruction): Promise<void> {
    const { line } = instruction;
    const said = words(instruction);
    const [base, as, named] = said;
    const fits = said.length === 1 || (said.length === 3 && as?.text.toLowerCase() === 'as');
    if (base === undefined || !fits)
      throw new DockerfileFault(line.number, 'FROM requires either one or three arguments');
    this.keep(this.current);
    const name = named?.text.toLowerCase() ?? null;
    const variables = this.variables(this.meta);
    const text = this.expand(fromLatin1(base.text), variables);
    if (text === '') throw new DockerfileFault(line.number, `base name (${base.text}) should not be blank`);
    const earlier = this.stageNamed(text);
    if (earlier !== null) return this.beginOn(earlier, name, line);
    if (text === 'scratch') return this.beginOnImage({ env: [], onBuild: [] }, name, line);
    const platform = flag(instruction, 'platform');
    const source: NamedSource = { use: 'from', text, line: line.number, edit: editOf(line, base, '') };
    const asked = platform === undefined ? null : this.expand(fromLatin1(platform.text), variables);
    this.count(text, asked);
    await this.beginOnImage(await this.reader.base(source, asked), name, line);
  }

  /** On what an earlier stage has made, with the triggers that it has set. */
  private async beginOn(earlier: Stage, name: string | null, line: LogicalLine): Promise<void> {
    const { env, baseKnown, triggers } = earlier;
    this.work.spend(WORK_OF_VARIABLE * env.size);
    const stage: Stage = { name, env: new Map(env), declared: new Map(), triggers: [], baseKnown };
    this.current = stage;
    await this.trigger(triggers, stage, line);
  }

  private async beginOnImage(image: BuildBase | null, name: string | null, line: LogicalLine): Promise<void> {
    const pairs = (image?.env ?? []).map((pair): [string, string] => {
      const at = pair.indexOf('=');
      return at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    });
    this.work.spend(WORK_OF_VARIABLE * pairs.length);
    const stage: Stage = { name, env: new Map(pairs), declared: new Map(), triggers: [], baseKnown: image !== null };
    this.current = stage;
    await this.trigger(image?.onBuild ?? [], stage, line);
  }

  /** A trigger is read as a Dockerfile of its own, with a backslash for its escape token. */
  private async trigger(triggers: readonly string[], stage: Stage, { number }: LogicalLine): Promise<void> {
    for (const text of triggers) {
      this.work.spend(WORK_OF_TRIGGER + text.length);
      const { dialect } = this.reading;
      const { lines, escapeToken } = readLines(toLatin1(text), dialect);
      for (const line of lines) await this.step(readInstruction(line, escapeToken, dialect), stage, number);
    }
  }

  /** `triggeredAt`: the line of the FROM, where the instruction is a trigger. */
  private async step(instruction: Instruction, stage: Stage, triggeredAt: number | null): Promise<void> {
    const { name, rest, line } = instruction;
    const number = triggeredAt ?? line.number;
    switch (name) {
      case 'arg':
      case 'env':
        return this.define(name, fromLatin1(rest), stage);
      case 'label':
        return this.label(fromLatin1(rest), stage, number);
      case 'add':
        return this.add(instruction, stage, number);
      case 'copy':
        return this.copy(instruction, number, triggeredAt !== null);
      case 'run':
        return this.mounts(instruction, number);
      case 'onbuild':
        if (triggered(instruction, this.escapeToken, this.reading.dialect) !== null)
          stage.triggers.push(fromLatin1(rest));
        return;
      default:
    }
  }

  private define(name: 'arg' | 'env', text: string, stage: Stage): void {
    const pairs = name === 'arg' ? argsOf(text, this.escapeToken) : envOf(text, this.escapeToken);
    const variables = this.stageVariables(stage);
    // None of them sees another one of the same line.
    const defined = pairs.map(({ key: written, value: said }) => {
      const key = this.expand(written, variables);
      let certain = true;
      const value =
        said === null
          ? null
          : this.expand(said, variables, () => {
              certain = stage.baseKnown;
            });
      return { key, value, certain };
    });
    for (const { key, value, certain } of defined) {
      if (name === 'arg') stage.declared.set(key, certain ? value : null);
      else if (certain) stage.env.set(key, value ?? '');
      else stage.env.delete(key);
    }
  }

  private label(text: string, stage: Stage, number: number): void {
    const variables = this.stageVariables(stage);
    for (const { key } of envOf(text, this.escapeToken)) this.reader.label(this.expand(key, variables), number);
  }

  private add(instruction: Instruction, stage: Stage, number: number): void {
    const list = jsonStrings(instruction.rest, this.reading.dialect);
    const said = list ?? words(instruction).map(({ text }) => fromLatin1(text));
    const variables = this.stageVariables(stage);
    for (const word of said.slice(0, -1)) {
      let certain = true;
      const text = this.expand(word, variables, () => {
        certain = stage.baseKnown;
      });
      if (isAddress(text)) this.reader.address(text, number, true);
      else if (!certain && mayBecomeAddress(word)) this.reader.address(word, number, false);
    }
  }

  private async copy(instruction: Instruction, number: number, fromTrigger: boolean): Promise<void> {
    const from = flag(instruction, 'from');
    if (from === undefined || from.text === '' || this.isStage(from.text)) return;
    const edit = fromTrigger ? null : editOf(instruction.line, from, '--from=');
    await this.image('copy', fromLatin1(from.text), number, edit);
  }

  private async image(use: 'copy' | 'mount', text: string, line: number, edit: NameEdit | null): Promise<void> {
    this.count(text, null);
    await this.reader.image({ use, text, line, edit });
  }

  /** The classic builder has no mounts, and fails on them; what they name is judged all the same. */
  private async mounts(instruction: Instruction, number: number): Promise<void> {
    for (const mount of instruction.flags) {
      const [, options = ''] = /^--mount=(.*)$/s.exec(mount.text) ?? [];
      for (const option of options.split(',')) {
        const [, from = ''] = /^"?from=([^"]*)"?$/i.exec(option.trim()) ?? [];
        if (from !== '' && !this.isStage(from)) await this.image('mount', fromLatin1(from), number, null);
      }
    }
  }

  /** @throws OverrunFault */
  private count(image: string, platform: string | null): void {
    if (this.named.add(`${platform} ${image}`).size > MOST_IMAGES)
      throw new OverrunFault(`names more than ${MOST_IMAGES} images`);
  }

  private keep(stage: Stage | null): void {
    if (stage !== null && stage.name !== null && !this.stages.has(stage.name)) this.stages.set(stage.name, stage);
  }

  private stageNamed(name: string): Stage | null {
    return this.stages.get(name.toLowerCase()) ?? null;
  }

  /** A number is always a stage, also one that is not there: engines fail on it. */
  private isStage(name: string): boolean {
    return this.stageNamed(name) !== null || (/^[+-]?\d+$/.test(name) && isInt64(name));
  }

  private expand(word: string, variables: Variables, onMissing?: () => void): string {
    return expand(word, this.escapeToken, variables, onMissing, this.work);
  }

  /** As they are when they are asked for: a copy for each line would cost what all lines before it have said. */
  private variables(defaults: ReadonlyMap<string, string | null>): Variables {
    return {
      get: (name) => {
        if (!defaults.has(name) && !builtIn.has(name)) return undefined;
        return this.reading.arguments.get(name) ?? defaults.get(name) ?? this.meta.get(name) ?? undefined;
      },
    };
  }

  private stageVariables({ declared, env }: Stage): Variables {
    const others = this.variables(declared);
    return { get: (name) => env.get(name) ?? others.get(name) };
  }
}

function editOf(line: LogicalLine, word: Word, before: string): NameEdit {
  return { spans: line.spans(word.from, word.to), before };
}

function isInt64(text: string): boolean {
  const number = BigInt(text.replace(/^\+/, ''));
  return BigInt.asIntN(64, number) === number;
}

/** What is fetched instead of taken from the context; git and the like by BuildKit only. */
function isAddress(text: string): boolean {
  return /^(?:[a-z][a-z0-9+.-]*:\/\/|git@)/i.test(text);
}

/** Whether variables without a value here could make an address of it: not where a path begins it. */
function mayBecomeAddress(word: string): boolean {
  return !/^[^$"'\\`]*[^$"'\\`a-z0-9+:@-]/i.test(word);
}
