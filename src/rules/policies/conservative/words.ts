/** How a refusal is put: what must hold at the place, and what the user can do instead. */

import type { Risk } from '../../../docker/endpoint.ts';
import type { Mark, Reach } from '../../../docker/marks.ts';
import type { Leaf } from '../../../docker/visit.ts';
import { type Json, printJson } from '../../../ground/json.ts';

const MOST_SHOWN = 60;

/** `must be false`: what would have to hold for the value to pass. */
export function demandOn({ shape, value, marks }: Leaf): string {
  switch (shape.kind) {
    case 'bool':
      return 'must be false';
    case 'int':
    case 'number':
      return 'must be 0';
    case 'list':
    case 'map':
    case 'object':
    case 'filters':
      return shape.emptyMeans === undefined ? 'must be empty' : 'must be left out';
    case 'text': {
      const { grammar } = shape;
      // A text that is not of its language comes with everything that it could have meant.
      const unread = grammar !== undefined && marks.length === shape.marks.length + grammar.marks.length;
      return unread && grammar.split(String(value)) === null
        ? `must be written ${grammar.form}`
        : `must not be ${shown(value)}`;
    }
    default:
      return 'must be left out';
  }
}

export function shown(value: Json): string {
  const printed = printJson(value);
  return printed.length > MOST_SHOWN ? `${printed.slice(0, MOST_SHOWN)}…` : printed;
}

const remedies: Partial<Record<Reach, string>> = {
  root: 'whoever has it is root on the host; run it without',
  driver: 'use the driver and the options that are the default',
};

/** What to do instead, or at least why. */
export function remedyFor(mark: Mark): string {
  switch (mark.mark) {
    case 'privilege':
      return remedies[mark.reach] ?? mark.why;
    case 'host-path':
      return 'use a named volume, or docker cp: folders of the host are not given to containers';
    case 'fetches':
      return 'the engine would connect to it from the host';
    default:
      return 'ask the administrator to allow it';
  }
}

export const engineSocket = "the engine's own socket is root on the host, and is not given to containers";

export const reaper =
  'the reaper of Testcontainers needs the socket of the engine, which is root: set TESTCONTAINERS_RYUK_DISABLED=true';

const endpointRemedies: Partial<Record<Risk, string>> = {
  tunnel: 'what goes through it cannot be judged',
  cluster: 'it would reach every node, or install a part of the engine',
};

export function remedyForEndpoint(risk: Risk, marks: readonly Mark[]): string {
  const [mark] = marks;
  return endpointRemedies[risk] ?? (mark === undefined ? 'it is never served' : remedyFor(mark));
}
