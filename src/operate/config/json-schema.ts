/** The JSON Schema (draft 7, which editors know) of the configuration, from the schema that reads it. */

import { z } from 'zod';
import { configSchema } from './schema/config.ts';

export type JsonSchema = Readonly<Record<string, unknown>>;

/** What is said of a flagged setting, in editors and in the reference. */
export function effectNote({ effect, without, beginning }: z.core.GlobalMeta): string {
  if (effect === 'none yet') return `Has no effect yet${beginning === undefined ? '' : ` as \`${beginning}\``}.`;
  if (effect !== 'refuse until it is there') return '';
  return `Not there yet: \`serve\` refuses to start with it${without === undefined ? '' : ` (to go without: ${without})`}.`;
}

export function configJsonSchema(): JsonSchema {
  const schema = z.toJSONSchema(configSchema, {
    io: 'input',
    target: 'draft-7',
    override: ({ jsonSchema }) => {
      const note = effectNote(jsonSchema as z.core.GlobalMeta);
      if (note !== '') jsonSchema.description = `${jsonSchema.description ?? ''} ${note}`.trimStart();
      for (const ours of ['kind', 'effect', 'neutral', 'without', 'beginning']) delete jsonSchema[ours];
    },
  });
  return { ...schema, title: 'Configuration of Berthgate' };
}
