// Which containers in an engine's list are of the steps of builds.

import { expect, test } from 'vitest';
import { stepContainerIn } from '../../../src/docker/step-containers.ts';
import type { Json } from '../../../src/ground/json.ts';

const IMAGE = `sha256:${'1'.repeat(64)}`;
const NETWORK = '2'.repeat(64);

function listed(Labels: Json, Image = IMAGE, NetworkMode = NETWORK): Json {
  return { Id: 'c', Names: ['/happy_name'], Labels, Image, HostConfig: { NetworkMode } };
}

test.each([
  ['of an image without labels', {}],
  ['of an image with labels of its own', { maintainer: 'somebody' }],
  ['of an image that was committed of a container in a namespace', { 'berthgate.namespace': '' }],
])('the container of a step %s is known', (_, labels) => {
  expect(stepContainerIn(listed(labels))).toMatchObject({ id: 'c', image: IMAGE, mode: NETWORK });
  for (const mode of ['none', `container:${NETWORK}`])
    expect(stepContainerIn(listed(labels, IMAGE, mode))).toMatchObject({ mode });
});

test('what has an owner is none, nor is what names its image or its network', () => {
  expect(stepContainerIn(listed({ 'berthgate.namespace': 'ci' }))).toBe(null);
  expect(stepContainerIn(listed({}, 'busybox'))).toBe(null);
  expect(stepContainerIn(listed({}, IMAGE, 'bridge'))).toBe(null);
  expect(stepContainerIn(listed({}, IMAGE, 'container:db'))).toBe(null);
});
