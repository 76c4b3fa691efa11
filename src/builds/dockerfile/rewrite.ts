/** Writes other names into a Dockerfile; everything else stays as it is, byte by byte and line by line. */

import type { NameEdit } from './sources.ts';

export interface NewName {
  readonly edit: NameEdit;
  readonly name: string;
}

/** `file` is latin1. */
export function rewriteNames(file: string, names: readonly NewName[]): string {
  const edits = names.flatMap(({ edit, name }) =>
    // A name that goes over several lines moves to the last of them: lines keep their numbers, and none becomes empty,
    // behind which an instruction would go on.
    edit.spans.map((span, index) => ({ ...span, text: index === edit.spans.length - 1 ? edit.before + name : '' })),
  );
  let text = '';
  let at = 0;
  for (const edit of edits.sort((a, b) => a.from - b.from)) {
    text += file.slice(at, edit.from) + edit.text;
    at = edit.to;
  }
  return text + file.slice(at);
}
