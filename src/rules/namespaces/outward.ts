/** Answers in the client's names: its own prefix is taken off, what is another's is left out. */

import type { Endpoint } from '../../docker/endpoint.ts';
import { showImages } from '../../docker/image-listings.ts';
import type { Kind } from '../../docker/marks.ts';
import { keepThings, thingIn } from '../../docker/named-things.ts';
import { type Leaf, visit } from '../../docker/visit.ts';
import type { Call } from '../../exchange/call.ts';
import { type Json, printJson } from '../../ground/json.ts';
import type { Directory } from './directory.ts';
import type { ImageNames } from './image-names.ts';
import { clientName } from './names.ts';
import { ownerOf } from './ownership.ts';
import { Prose, type Spoken } from './prose.ts';
import type { SharedNetworks } from './shared-networks.ts';

const ID = /^[0-9a-f]{64}$/;
const IMAGE_ID = /^(?:sha256:[0-9a-f]+|<missing>|)$/;
/** How an engine names what it makes by itself: nobody's, and reached by no call. */
const ENGINES_OWN: ReadonlySet<string> = new Set(['none']);

export class Outward {
  private readonly namespace: string;
  private readonly directory: Directory;
  private readonly prose: Prose;
  private readonly shared: SharedNetworks;
  private readonly images: ImageNames;

  constructor(namespace: string, directory: Directory, shared: SharedNetworks, images: ImageNames) {
    this.namespace = namespace;
    this.directory = directory;
    this.prose = new Prose(namespace, directory, images);
    this.shared = shared;
    this.images = images;
  }

  /** `strict`: an id that is not known to be the namespace's is left out. */
  answer(endpoint: Endpoint, document: Json, spoken: readonly Spoken[], strict: boolean): Json {
    const { shape } = endpoint.answer;
    if (shape === undefined) return document;
    const kept = keepThings(endpoint.id, document, (kind, item) => {
      const thing = thingIn(kind, item);
      return thing !== null && ownerOf(thing) === this.namespace;
    });
    const shown = showImages(endpoint.id, kept, (image, all) => this.images.shown(image, all));
    return visit(shape, shown, (leaf) => this.leaf(leaf, spoken, strict));
  }

  /** What a refusal of the engine says, or an answer that is a mere text. */
  refusal({ endpoint, parameters, query, body }: Call, text: string, spoken: readonly Spoken[]): string {
    if (endpoint.repeats === true) return this.prose.repeated(text, spoken);
    return this.prose.told(text, spoken, () => printJson([parameters, query as Json, body]));
  }

  private leaf(leaf: Leaf, spoken: readonly Spoken[], strict: boolean): Json | undefined {
    const { marks, value, shape } = leaf;
    for (const mark of marks) {
      if (mark.mark === 'reveals' && mark.about === 'others') {
        // 0 would tell that there are none: of what is of others, only that nobody has counted.
        return shape.neutral?.some((one) => one === value) === true ? value : undefined;
      }
      if (typeof value !== 'string' || value === '') continue;
      if (mark.mark === 'prose') {
        return mark.repeats === true ? this.prose.repeated(value, spoken) : this.prose.told(value, spoken, () => '');
      }
      if (mark.mark === 'uses') return this.name(leaf, mark.kind, value, strict);
    }
    return value;
  }

  private name({ shape }: Leaf, kind: Kind, value: string, strict: boolean): Json | undefined {
    if (kind === 'image') return IMAGE_ID.test(value) ? value : this.images.told(value, strict);
    if (kind !== 'container' && kind !== 'network' && kind !== 'volume') return value;
    if (kind === 'network' && (ENGINES_OWN.has(value) || this.shared.hasName(value))) return value;
    if (kind !== 'volume' && ID.test(value)) {
      // dockerd shows a network's mode as it was said, which is by name nearly always.
      const mode = kind === 'network' && shape.kind === 'text' && shape.grammar?.name === 'network-mode';
      const shared = kind === 'network' ? this.shared.nameOf(value) : null;
      if (shared !== null) return mode ? shared : value;
      if (this.isAnothers(value) || (strict && !this.directory.isOwn(this.namespace, value))) return undefined;
      return mode ? this.nameOf(value) : value;
    }
    const slash = value.startsWith('/') ? '/' : '';
    const own = clientName(this.namespace, value.slice(slash.length));
    if (own !== null) return slash + own;
    // A volume that the engine named itself, of an image that nobody has looked into.
    return kind === 'volume' && ID.test(value) ? value : undefined;
  }

  private nameOf(id: string): string {
    const known = this.directory.nameOf(id);
    return known === null ? id : (clientName(this.namespace, known) ?? id);
  }

  private isAnothers(id: string): boolean {
    const owner = this.directory.owner(id);
    return owner !== null && owner !== this.namespace;
  }
}
