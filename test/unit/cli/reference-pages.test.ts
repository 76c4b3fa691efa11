import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { referencePages } from '../../../src/cli/reference.ts';

const folder = join(import.meta.dirname, '../../../docs/reference');

test('every reference page is what the program would write now', () => {
  const pages = referencePages();
  expect(pages.size).toBeGreaterThan(10);
  for (const [name, page] of pages) {
    expect(readFileSync(join(folder, name), 'utf8'), `docs/reference/${name} is stale: run \`npm run reference\``).toBe(
      page,
    );
  }
});
