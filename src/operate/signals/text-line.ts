/** A line of the log for people: `2026-01-02T03:04:05.678Z info  served listener=people user=alice …`. */

const PLAIN = /^[\w.:/@%+*{}-]+$/;

/** `line` is one JSON object and its line break, as the log prints it. */
export function textLine(line: string): string {
  const { time, level, msg, ...facts } = JSON.parse(line) as Record<string, unknown>;
  let text = `${String(time)} ${String(level).padEnd(5)} ${printed(msg ?? '')}`;
  for (const name in facts) text += ` ${name}=${printed(facts[name], true)}`;
  return `${text}\n`;
}

// JSON.stringify leaves U+0080 to U+009F and bidirectional marks as they are, which terminals obey.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
const COMMANDS = /[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g;

function printed(value: unknown, quotes = false): string {
  const text = typeof value === 'string' && (!quotes || PLAIN.test(value)) ? value : JSON.stringify(value);
  return text.replace(COMMANDS, (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`);
}
