/**
 * An archive that a client has an engine load, with the names in it as the engine is to know them. It is sent on as it
 * comes, and its documents last, when everything in it has been seen: an engine begins when it has all of it. Whatever
 * an image says that it consists of must be in the archive: an engine takes layers that it has by their digests alone,
 * whosever they are.
 */

import {
  type ArchiveDocument,
  type ArchivedImage,
  type ArchivedPart,
  archiveDocument,
  archivePath,
  layersOfConfig,
  printArchiveManifest,
  printIndex,
  readArchiveManifest,
  readOciDocument,
} from '../../../docker/image-archive.ts';
import { formatReference, type ImageReference } from '../../../docker/image-reference.ts';
import type { BodyStage } from '../../../exchange/body-stage.ts';
import type { LoadedBytes } from '../../../exchange/load-judge.ts';
import { type Json, JsonFault, printJson, readJson } from '../../../ground/json.ts';
import { Refusal } from '../../../ground/refusal.ts';
import type { BodySink } from '../../../wire/message.ts';
import { Unpacking } from '../../../wire/tar/compression.ts';
import { kindOf, padded, printHeader, type RawHeader, TarFault } from '../../../wire/tar/tar-header.ts';
import { type Entry, TarWalker, type Treatment } from '../../../wire/tar/tar-walker.ts';
import { ArchiveFiles, MOST_DOCUMENT_BYTES } from './archive-files.ts';

const MOST_IMAGES = 1000;
/** Of indexes within indexes. */
const MOST_DEPTH = 4;
const MAX_DEPTH = 64;

export interface LoadNaming {
  /** Whether the engine reads an archive as an OCI layout where it is one. */
  readonly readsLayouts: boolean;
  /** The engine's name for what the archive calls `text`. @throws Refusal */
  name(text: string): Promise<ImageReference>;
  /** The engine is about to load the image of this id. */
  loads(id: string): void;
  /** A name for what has none; `id` of the image, where it is known. */
  unnamed(id: string | null): ImageReference;
  /** What has come so far. @throws Refusal */
  size(bytes: LoadedBytes): void;
}

export function loadedArchive(naming: LoadNaming): BodyStage {
  return (onward, fail) => {
    const failed = (fault: unknown): void => fail(asRefusal(fault));
    return new Unpacking(new LoadSink(onward, naming, failed), failed);
  };
}

/** Waits for the digests of what has passed, too, and counts what comes. */
class LoadSink implements BodySink {
  onReady: (() => void) | null = null;
  private readonly archive: LoadedArchive;
  private readonly naming: LoadNaming;
  private readonly fail: (fault: unknown) => void;
  private readonly walker: TarWalker;
  private readonly bytes = { archive: 0, contents: 0 };
  private held = false;
  private failed = false;

  constructor(onward: BodySink, naming: LoadNaming, fail: (fault: unknown) => void) {
    const archive = new LoadedArchive(naming, (bytes) => this.count('contents', bytes));
    this.archive = archive;
    this.naming = naming;
    this.fail = fail;
    archive.drained = () => this.ready();
    this.walker = new TarWalker(onward, archive, fail);
    this.walker.onReady = () => {
      this.held = false;
      this.ready();
    };
  }

  write(chunk: Buffer): boolean {
    this.count('archive', chunk.length);
    if (this.failed) return true;
    this.held = !this.walker.write(chunk);
    return !this.held && !this.archive.busy;
  }

  end(): void {
    if (!this.failed) this.walker.end();
  }

  abort(cause: Error): void {
    this.walker.abort(cause);
  }

  release(): void {
    this.archive.release();
  }

  private count(what: keyof LoadedBytes, bytes: number): void {
    this.bytes[what] += bytes;
    if (this.failed) return;
    try {
      this.naming.size(this.bytes);
    } catch (fault) {
      this.failed = true;
      this.release();
      this.fail(fault);
    }
  }

  private ready(): void {
    if (!this.held && !this.archive.busy) this.onReady?.();
  }
}

class LoadedArchive {
  drained: () => void = () => {};
  private readonly naming: LoadNaming;
  private readonly files: ArchiveFiles;
  private readonly documents = new Map<ArchiveDocument, Buffer>();
  private path = '';

  constructor(naming: LoadNaming, count: (bytes: number) => void) {
    this.naming = naming;
    this.files = new ArchiveFiles(count);
  }

  /** What is being unpacked is not any more. */
  release(): void {
    this.files.release();
  }

  get busy(): boolean {
    return this.files.busy;
  }

  treat(header: RawHeader): Treatment {
    this.path = this.files.begin(header, () => this.drained());
    const kind = kindOf(header);
    if (archiveDocument(this.path) === null)
      return kind === 'file' && header.size <= MOST_DOCUMENT_BYTES ? 'keep' : 'pass';
    if (kind !== 'file') throw new TarFault(`has something else than a file for its ${this.path}`);
    if (header.size > MOST_DOCUMENT_BYTES) throw new TarFault(`holds a ${this.path} of more than 4 MiB`);
    return 'hold';
  }

  content(bytes: Buffer): void {
    this.files.content(bytes);
  }

  read({ content }: Entry): null {
    const kind = archiveDocument(this.path);
    if (kind !== null) this.documents.set(kind, content);
    this.files.end(kind === null ? content : Buffer.alloc(0));
    return null;
  }

  async finish(): Promise<Buffer> {
    await this.files.settle();
    const manifest = this.documents.get('manifest');
    const index = this.documents.get('index');
    const layout = this.documents.get('layout');
    if (this.naming.readsLayouts && layout !== undefined && index !== undefined) {
      return Buffer.concat([fileOf('layout', layout), fileOf('index', await this.index(index))]);
    }
    if (manifest === undefined) {
      throw new TarFault(
        layout === undefined
          ? 'holds no manifest.json: is it what `docker save` writes?'
          : 'is an OCI layout without a manifest.json, which this engine does not read',
      );
    }
    return fileOf('manifest', await this.manifest(manifest));
  }

  private async manifest(content: Buffer): Promise<Json> {
    const images = readArchiveManifest(readDocument(content, archivePath('manifest')));
    this.bound(images.length);
    const renamed: ArchivedImage[] = [];
    for (const image of images) {
      const config = await this.fileAt(image.config);
      const layers = await Promise.all(image.layers.map((path) => this.fileAt(path)));
      this.requireLayers(
        config.path,
        config.file.document,
        layers.map(({ path, file }) => ({ what: path, file })),
      );
      const names =
        image.names.length === 0
          ? [this.naming.unnamed(this.naming.readsLayouts ? null : config.file.digest)]
          : await this.named(image.names);
      this.naming.loads(config.file.digest);
      renamed.push({
        config: config.path,
        layers: layers.map(({ path }) => path),
        names: names.map(formatReference),
      });
    }
    return printArchiveManifest(renamed);
  }

  private async index(content: Buffer): Promise<Json> {
    const { manifests } = readOciDocument(readDocument(content, archivePath('index')), archivePath('index'));
    this.bound(manifests.length);
    const entries: { readonly part: ArchivedPart; readonly name: ImageReference }[] = [];
    for (const part of manifests) {
      this.requireWhole(part, 0);
      this.naming.loads(part.digest);
      const [name] = part.name === null ? [this.naming.unnamed(part.digest)] : await this.named([part.name]);
      entries.push({ part, name: name as ImageReference });
    }
    return printIndex(entries);
  }

  private async named(names: readonly string[]): Promise<readonly ImageReference[]> {
    const found: ImageReference[] = [];
    for (const name of names) found.push(await this.naming.name(name));
    return found;
  }

  private async fileAt(said: string) {
    const found = await this.files.at(said);
    if (found === null) throw new TarFault(`names ${JSON.stringify(said)}, which it does not hold`);
    return found;
  }

  /** An image, or an index of images, with all that it consists of. */
  private requireWhole({ digest }: ArchivedPart, depth: number): void {
    const file = this.files.withDigest(digest);
    if (file === null) {
      throw new TarFault(`names ${digest}, which it does not hold: save the image of one platform (\`--platform\`)`);
    }
    if (file.document === null || depth > MOST_DEPTH) throw new TarFault(`names ${digest}, which is no image`);
    const { manifests, config, layers } = readOciDocument(readDocument(file.document, digest), digest);
    for (const part of manifests) this.requireWhole(part, depth + 1);
    const held = layers.map((part) => {
      const layer = this.files.withDigest(part.digest);
      if (layer === null) throw new TarFault(`names ${part.digest}, which it does not hold`);
      return { what: part.digest, file: layer };
    });
    if (config !== null)
      this.requireLayers(config.digest, this.files.withDigest(config.digest)?.document ?? null, held);
  }

  /** The layers that a configuration says are those that are in the archive. */
  private requireLayers(
    place: string,
    config: Buffer | null,
    layers: readonly { readonly what: string; readonly file: { readonly unpacked: string | null } }[],
  ): void {
    if (config === null) throw new TarFault(`does not hold the configuration ${place}, or it is no JSON document`);
    const said = layersOfConfig(readDocument(config, place), place);
    // No engine runs what says nothing of its files.
    if (said === null) return;
    if (said.length !== layers.length) {
      throw new TarFault(`says ${said.length} layers in ${place}, and holds ${layers.length} of them`);
    }
    for (const [at, { what, file }] of layers.entries()) {
      if (file.unpacked === null) {
        throw new TarFault(
          `holds the layer ${what}, which is packed in a way that is not read here: pack it with gzip, or not at all`,
        );
      }
      if (file.unpacked !== said[at]) throw new TarFault(`says that ${what} is ${said[at]}, which it is not`);
    }
  }

  private bound(images: number): void {
    if (images > MOST_IMAGES) throw new TarFault(`holds more than ${MOST_IMAGES} images`);
  }
}

function fileOf(kind: ArchiveDocument, document: Buffer | Json): Buffer {
  const content = Buffer.isBuffer(document) ? document : Buffer.from(printJson(document as Json));
  return Buffer.concat([printHeader(archivePath(kind), content.length), padded(content)]);
}

/** @throws TarFault */
function readDocument(content: Buffer, name: string): Json {
  try {
    return readJson(content, MAX_DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) throw new TarFault(`holds ${name}, which cannot be read: ${fault.message}`);
    throw fault;
  }
}

function asRefusal(fault: unknown): unknown {
  return fault instanceof TarFault ? new Refusal('unreadable-body', `the archive ${fault.message}`) : fault;
}
