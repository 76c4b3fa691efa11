import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { renderReference } from '../../../src/docker/reference.ts';
import { everyCall } from '../../../src/docker/table.ts';

const folder = join(import.meta.dirname, '../../../docs/reference/api');
const rendered = renderReference(everyCall);

describe('the reference pages of the API', () => {
  it('are the ones that the table says', () => {
    expect(readdirSync(folder).sort(), 'run `npm run reference`').toEqual([...rendered.keys()].sort());
    const stale = [...rendered].filter(([file, text]) => readFileSync(join(folder, file), 'utf8') !== text);
    expect(
      stale.map(([file]) => file),
      'docs/reference/api is stale: run `npm run reference`',
    ).toEqual([]);
  });

  it('tell of every endpoint on one page, with a link in the index', () => {
    const pages = [...rendered].filter(([file]) => file !== 'README.md');
    for (const { id } of everyCall) {
      const found = pages.filter(([, text]) => text.includes(`\n## ${id}\n`));
      expect(found, id).toHaveLength(1);
      expect(rendered.get('README.md')).toContain(`[${id}](${found[0]?.[0]}#${id.toLowerCase()})`);
    }
  });

  it('have as many cells in every row as in the head of its table', () => {
    for (const [file, text] of rendered) {
      let width = 0;
      for (const line of text.split('\n')) {
        const cells = line.startsWith('|') ? line.split(/(?<!\\)\|/).length : 0;
        if (width > 0 && cells > 0) expect(cells, `${file}: ${line}`).toBe(width);
        width = cells;
      }
    }
  });
});
