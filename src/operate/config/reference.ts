/** docs/reference/configuration.md: a page made of the descriptions in the schema. */

import type { z } from 'zod';
import { effectNote } from './json-schema.ts';
import { configSchema } from './schema/config.ts';
import { fieldsOf, type Opened, openSchema } from './schema-walk.ts';

const head = `# Configuration

<!-- Generated from src/operate/config/schema. Change the descriptions there. -->

One YAML file; \`berthgate check --config FILE\` names every fault with its line and column. Unknown keys are faults.

- Durations are whole numbers with units, the larger first: \`250ms\`, \`30s\`, \`1h30m\`, \`7d\`.
- Sizes are whole numbers with a unit (\`64KiB\`, \`50GiB\`, \`1GB\`) or of bytes.
- Relative files count from the folder of the configuration.
`;

type Schema = z.core.$ZodType;

interface Section {
  readonly place: string;
  readonly description: string;
  readonly fields: Readonly<Record<string, Schema>>;
}

export function renderReference(): string {
  const sections: Section[] = [];
  collect(configSchema, '', 'The top of the file.', sections);
  return `${head}${sections.map(renderSection).join('')}`;
}

function collect(schema: Schema, place: string, description: string, sections: Section[]): void {
  const fields = mapOf(openSchema(schema));
  if (fields === undefined) return;
  sections.push({ place, description, fields });
  for (const [key, field] of Object.entries(fields)) {
    const opened = openSchema(field);
    const below = place === '' ? key : `${place}.${key}`;
    const says = [opened.meta.description, effectNote(opened.meta)].filter(Boolean).join(' ');
    const def = opened.shape._zod.def;
    if (def.type === 'array') collect(def.element, `${below}[]`, says, sections);
    else collect(field, below, says, sections);
  }
}

/** The fields of a map, also of one that may be shortened to a word. Entries that name plugins have only `use`: no section. */
function mapOf({ shape, meta }: Opened): Readonly<Record<string, Schema>> | undefined {
  const fields = meta.effect === 'by its name' ? {} : fieldsOf(shape, {});
  return Object.keys(fields).length === 0 ? undefined : fields;
}

function renderSection({ place, description, fields }: Section): string {
  const title = place === '' ? '' : `\n## \`${place}\`\n`;
  const rows = Object.entries(fields).map(([key, field]) => renderField(key, openSchema(field)));
  return `${title}\n${description}\n\n| key | value | default | |\n|---|---|---|---|\n${rows.join('\n')}\n`;
}

function renderField(key: string, opened: Opened): string {
  const { meta, byDefault, optional } = opened;
  const means = [meta.description, effectNote(meta)].filter(Boolean).join(' ');
  const fallback = byDefault === undefined ? (optional ? '' : 'required') : `\`${JSON.stringify(byDefault)}\``;
  return `| \`${key}\` | ${cell(valueWords(opened))} | ${cell(mapOf(opened) === undefined ? fallback : '')} | ${cell(means)} |`;
}

function valueWords({ shape, meta, nullable }: Opened): string {
  const def = shape._zod.def;
  let words: string;
  if (def.type === 'enum') words = Object.values(def.entries).join(', ');
  else if (def.type === 'array') words = `list of: ${valueWords(openSchema(def.element))}`;
  else if (def.type === 'object') words = 'map';
  else if (def.type === 'union' && meta.kind === undefined) {
    words = def.options.map((option) => valueWords(openSchema(option))).join(' or ');
  } else if (def.type === 'literal') words = def.values.join(', ');
  else words = meta.kind ?? def.type;
  return nullable ? `${words}, or null` : words;
}

function cell(text: string): string {
  return text.replaceAll('|', '\\|');
}
