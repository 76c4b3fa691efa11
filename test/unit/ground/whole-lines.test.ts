// Lines are the same, however the bytes that carry them are cut.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { eachLine, WholeLines } from '../../../src/ground/whole-lines.ts';

function linesOf(pieces: readonly string[]): readonly string[] {
  const lines = new WholeLines();
  const told: string[] = [];
  // As a wire does it: the same memory is read into again and again.
  const memory = Buffer.alloc(4096);
  for (const piece of pieces) {
    const length = memory.write(piece, 'latin1');
    for (const line of eachLine(lines.take(memory.subarray(0, length)))) told.push(line.toString('latin1'));
    memory.fill(0x21);
  }
  const rest = lines.rest().toString('latin1');
  return rest === '' ? told : [...told, rest];
}

test('lines are whole however their bytes come', () => {
  const piece = fc.string({ unit: fc.constantFrom('a', 'b', '\n'), maxLength: 12 });
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 40 }), (pieces) => {
      expect(linesOf(pieces)).toEqual(pieces.join('').match(/[^\n]*\n|[^\n]+/g) ?? []);
    }),
  );
});

test('what is held of an unfinished line is known, and none of a whole one', () => {
  const lines = new WholeLines();
  lines.take(Buffer.from('one\ntwo'));
  expect(lines.heldBytes).toBe(3);
  lines.take(Buffer.from(' three'));
  expect(lines.heldBytes).toBe(9);
  expect(lines.take(Buffer.from('\n')).toString()).toBe('two three\n');
  expect(lines.heldBytes).toBe(0);
});
