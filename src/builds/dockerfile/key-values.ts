/** What ENV and ARG say: `name=value …`, and `ENV name value` of old. Words keep their quotes. */

export interface KeyValue {
  readonly key: string;
  /** Null where an ARG has no default. */
  readonly value: string | null;
}

/** `text` is the rest of the instruction, as the text that it is. */
export function envOf(text: string, escapeToken: string): readonly KeyValue[] {
  const words = quotedWords(text, escapeToken);
  const [first] = words;
  if (first === undefined) return [];
  if (!first.includes('=')) {
    const found = /[\t\v\f\r ]+/.exec(text);
    return found === null
      ? []
      : [{ key: text.slice(0, found.index), value: text.slice(found.index + found[0].length) }];
  }
  return words.map(keyValue);
}

export function argsOf(text: string, escapeToken: string): readonly KeyValue[] {
  return quotedWords(text, escapeToken).map(keyValue);
}

function keyValue(word: string): KeyValue {
  const at = word.indexOf('=');
  return at < 0 ? { key: word, value: null } : { key: word.slice(0, at), value: word.slice(at + 1) };
}

/** As moby's parseWords. */
function quotedWords(text: string, escapeToken: string): readonly string[] {
  const words: string[] = [];
  let word = '';
  let open = false;
  let quote = '';
  const end = (): void => {
    if (open || word !== '') words.push(word);
    word = '';
    open = false;
  };
  const characters = [...text];
  for (let i = 0; i < characters.length; i++) {
    const character = characters[i] as string;
    if (quote === '' && /\p{White_Space}/u.test(character)) {
      end();
      continue;
    }
    if (character === escapeToken && quote !== "'") {
      if (i + 1 === characters.length) break;
      word += character + (characters[++i] as string);
      continue;
    }
    if (quote === '' && (character === "'" || character === '"')) {
      quote = character;
      open = true;
    } else if (character === quote) quote = '';
    word += character;
  }
  end();
  return words;
}
