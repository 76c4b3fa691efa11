/** Names for containers that nobody named, of Docker's kind: an adjective and a person of science. */

import { randomInt } from 'node:crypto';

const adjectives =
  'admiring agile amazing awesome bold brave busy calm charming clever cool dazzling determined eager elegant epic fervent festive focused friendly funny gallant gentle gifted gracious happy hopeful hungry inspiring jolly keen kind laughing lucid magical modest mystifying nifty nostalgic optimistic peaceful pensive practical quirky relaxed reverent romantic serene sharp silly sleepy stoic sweet tender thirsty trusting upbeat vibrant vigilant wizardly wonderful xenodochial youthful zealous zen'.split(
    ' ',
  );
const surnames =
  'agnesi albattani almeida archimedes ardinghelli babbage banach bardeen bartik bassi bell bohr booth borg bose boyd brahmagupta brown carson cartwright cerf chandrasekhar clarke colden cori cray curie darwin davinci diffie dijkstra dirac edison einstein elbakyan euclid euler faraday fermat fermi feynman franklin galileo galois gauss germain goldberg goodall hamilton hawking heisenberg hellman hertz hopper hypatia jackson jang johnson kalam keller kepler khorana kilby knuth kowalevski lamarr leavitt lichterman liskov lovelace mahavira mayer mccarthy mcclintock meitner mendel mendeleev mirzakhani moore morse nash newton nobel noether noyce pascal pasteur perlman pike poincare ptolemy raman ramanujan ritchie rosalind saha sammet shannon shaw sinoussi snyder spence stallman stonebraker swanson swartz tesla thompson torvalds turing varahamihira visvesvaraya volhard wescoff wiles williams wilson wing wozniak wright yalow yonath'.split(
    ' ',
  );

const PLAIN_ATTEMPTS = 4;

/** One that is not taken yet. */
export async function pickName(isTaken: (name: string) => Promise<boolean>): Promise<string> {
  for (let attempt = 0; ; attempt++) {
    const name = `${one(adjectives)}_${one(surnames)}`;
    const tried = attempt < PLAIN_ATTEMPTS ? name : `${name}${randomInt(1_000_000)}`;
    if (!(await isTaken(tried))) return tried;
  }
}

function one(words: readonly string[]): string {
  return words[randomInt(words.length)] as string;
}
