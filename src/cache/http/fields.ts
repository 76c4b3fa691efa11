/** Header fields as the rules of caching read them: by lower-case name, lists split where RFC 9110 §5.6.1 splits them. */

import type { RawHeaders } from '../../wire/message.ts';

/** The values of a field, a line each. */
export function linesOf(headers: RawHeaders, lowerCaseName: string): readonly string[] {
  const found: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (name.length === lowerCaseName.length && name.toLowerCase() === lowerCaseName) {
      found.push((headers[i + 1] as string).trim());
    }
  }
  return found;
}

/** All lines as one value; null where there is none. */
export function fieldValue(headers: RawHeaders, lowerCaseName: string): string | null {
  const lines = linesOf(headers, lowerCaseName);
  return lines.length === 0 ? null : lines.join(', ');
}

export function has(headers: RawHeaders, lowerCaseName: string): boolean {
  return linesOf(headers, lowerCaseName).length > 0;
}

/** The members of a list, without empty ones. A comma in a quoted string is part of its member. */
export function membersOf(lines: readonly string[]): readonly string[] {
  const members: string[] = [];
  for (const line of lines) {
    let member = '';
    let quoted = false;
    for (let i = 0; i < line.length; i++) {
      const char = line.charAt(i);
      if (quoted && char === '\\') {
        member += char + line.charAt(++i);
        continue;
      }
      if (char === '"') quoted = !quoted;
      if (char === ',' && !quoted) {
        if (member.trim() !== '') members.push(member.trim());
        member = '';
      } else member += char;
    }
    if (member.trim() !== '') members.push(member.trim());
  }
  return members;
}

/** Without the fields of these lower-case names. */
export function without(headers: RawHeaders, isDropped: (lowerCaseName: string) => boolean): RawHeaders {
  const kept: string[] = [];
  for (let i = 0; i < headers.length; i += 2) {
    const name = headers[i] as string;
    if (!isDropped(name.toLowerCase())) kept.push(name, headers[i + 1] as string);
  }
  return kept;
}
