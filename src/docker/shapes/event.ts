/** One line of `GET /events`. What its actor is depends on its type. */

import { type Kind, labels, type Mark, prose, repeatedProse, reveals, uses } from '../marks.ts';
import { int, known, map, object, type Shape, text, until, varying } from '../shape.ts';

/** Attributes of a thing, among them all of its labels: a label may be called `name` too. */
function attributes(meant: Readonly<Record<string, Shape>>, ...marks: readonly Mark[]) {
  return known(map(text(), text(), ...marks), meant);
}

function actor(id: Shape, meant: Readonly<Record<string, Shape>>, ...marks: readonly Mark[]) {
  return object({ ID: id, Attributes: attributes(meant, ...marks) });
}

const containerId = text(uses('container', 'id'));

const container = actor(
  containerId,
  {
    name: text(uses('container', 'name')),
    image: text(uses('image')),
    container: containerId,
    execID: text(uses('exec', 'id')),
    oldName: text(uses('container', 'slashed')),
    imageID: text(uses('image', 'id')),
    imageRef: text(uses('image', 'name')),
  },
  labels,
);

function named(kind: Kind) {
  return { Actor: actor(text(uses(kind)), { name: text(uses(kind, 'name')) }) };
}

const ofHost = { Actor: actor(text(reveals('host')), { name: text(reveals('host')) }) };

export const event = varying(
  object({
    Type: text(),
    /** `exec_create: COMMAND LINE` and `health_status: healthy` carry more than a word. */
    Action: text(repeatedProse),
    Actor: actor(text(prose), {}, reveals('others')),
    scope: text(),
    time: int(),
    timeNano: int(),
    // Said twice for old clients, for containers and images only.
    status: until('1.51', text(repeatedProse)),
    id: until('1.51', text(prose)),
    from: until('1.51', text(uses('image'))),
  }),
  'Type',
  {
    container: { Actor: container, id: until('1.51', containerId) },
    image: {
      // A digest, or for pull and push the reference as it was asked for.
      Actor: actor(text(uses('image')), { name: text(uses('image')) }, labels),
      id: until('1.51', text(uses('image'))),
    },
    network: {
      Actor: actor(text(uses('network', 'id')), { name: text(uses('network', 'name')), container: containerId }),
    },
    volume: { Actor: actor(text(uses('volume', 'name')), { container: containerId }) },
    plugin: named('plugin'),
    service: named('service'),
    secret: named('secret'),
    config: named('config'),
    node: { Actor: actor(text(uses('node', 'id')), { name: text(uses('node', 'name'), reveals('host')) }) },
    daemon: ofHost,
    builder: ofHost,
  },
);
