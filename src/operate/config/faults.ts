/** What is wrong with a configuration, where it stands, and how that is said: `FILE:LINE:COL: place: message`. */

/** Keys and indexes from the top of the file: `['listeners', 0, 'url']`. */
export type Path = readonly (string | number)[];

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units, as editors count. */
  readonly column: number;
}

// A fault is one line on a terminal or in a log, whatever the file holds (RED-TEAM 69).
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what this is about
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, (char) => {
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}

/** `listeners[0].requests.json`; keys that are no plain words are quoted. The top is the empty text. */
export function placeOf(path: Path): string {
  let place = '';
  for (const step of path) {
    if (typeof step === 'number') place += `[${step}]`;
    else if (!/^[A-Za-z_][\w-]*$/.test(step)) place += `[${JSON.stringify(step)}]`;
    else place += place === '' ? step : `.${step}`;
  }
  return place;
}

export class ConfigFault {
  readonly file: string;
  readonly line: number;
  readonly column: number;
  readonly place: string;
  readonly message: string;

  constructor(file: string, position: Position, place: string, message: string) {
    this.file = file;
    this.line = position.line;
    this.column = position.column;
    this.place = place;
    this.message = message;
  }

  toString(): string {
    const where = `${this.file}:${this.line}:${this.column}`;
    return printable(this.place === '' ? `${where}: ${this.message}` : `${where}: ${this.place}: ${this.message}`);
  }
}

/** A configuration that is not taken. Its message is all the faults, a line each. */
export class ConfigRefused extends Error {
  readonly faults: readonly ConfigFault[];

  constructor(faults: readonly ConfigFault[]) {
    super(faults.join('\n'));
    this.name = 'ConfigRefused';
    this.faults = faults;
  }
}
