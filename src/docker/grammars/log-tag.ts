/** The tag of a log driver: a template that the engine itself executes, with loops, and with what it knows of its host. */

import { own, privilege } from '../marks.ts';
import type { Grammar, Part } from '../shape.ts';

const template = privilege('logging', "a template that runs in the engine, and tells the host's name and paths");
const fields = /\{\{\s*\.(?:ID|FullID|Name|ImageID|ImageFullID|ImageName|DaemonName)\s*\}\}/g;

export const logTag: Grammar = {
  name: 'log-tag',
  form: 'text | {{.ID}} | {{.FullID}} | {{.Name}} | {{.ImageID}} | {{.ImageFullID}} | {{.ImageName}} | {{.DaemonName}}',
  marks: [own, template],
  dangerous: [
    '{{.Hostname}}',
    '{{.LogPath}}',
    '{{range 1000}}{{end}}',
    '{{printf "%1000d" 1}}',
    '{{.}}',
    '{{- .Hostname -}}',
    '{{with .Hostname}}{{.}}{{end}}',
    '{{.ID}}{{$}}',
  ],
  split(text): readonly Part[] {
    const harmless = !text.replace(fields, '').includes('{{');
    return [{ text, marks: [harmless ? own : template] }];
  },
};
