import { expect, test } from 'vitest';
import { formatReference, readReference } from '../../../src/docker/image-reference.ts';
import { asksRegistry, uses } from '../../../src/docker/marks.ts';
import { text } from '../../../src/docker/shape.ts';
import { imageSource } from '../../../src/docker/source-policy.ts';
import type { Leaf } from '../../../src/docker/visit.ts';
import { Registries } from '../../../src/rules/policies/conservative/registries.ts';

const hosts = [
  'docker.io',
  'r.example.org',
  'r.example.org:5000',
  'my-registry.example.org',
  'localhost',
  'localhost:5000',
  'registry:5000',
  'r.local',
  'r.internal:443',
  'a.localdomain',
  '10.0.0.1',
  '127.0.0.1:5000',
  '127.1',
  '0x7f.1',
  '1.0x7f',
  '2130706433:80',
  '[::1]:5000',
  'EXAMPLE.org',
];

/** What BuildKit would do with the last rule that matches. */
function lets({ allowed, denied = [] }: Registries['sources'], reference: string): boolean {
  const matches = (image: string): boolean => new RegExp(imageSource(image)).test(`docker-image://${reference}`);
  return (allowed === undefined || allowed.some(matches)) && !denied.some(matches);
}

test.each([
  ['every public name', null],
  ['listed ones', ['docker.io', '*.example.org', 'registry:5000']],
] as const)('BuildKit is told the same registries as pulls are judged by: %s', (_, patterns) => {
  const registries = new Registries(patterns);
  const said: string[] = [];
  for (const host of hosts) {
    const reference = readReference(`${host}/team/app:1`);
    if (reference === null) continue;
    const whole = formatReference(reference);
    const leaf: Leaf = { place: '', path: [], value: whole, shape: text(), marks: [uses('image'), asksRegistry] };
    const permitted = registries.permits(asksRegistry, leaf);
    // Stricter is allowed: what is no host of ours in capitals.
    if (permitted !== lets(registries.sources, whole) && host !== 'EXAMPLE.org') said.push(`${whole}: ${permitted}`);
  }
  expect(said).toEqual([]);
});
