import { describe, expect, it } from 'vitest';
import { buildkitMethods } from '../../../src/docker/endpoints/buildkit.ts';
import { fromLatin1, latin1, printMessage, readMessage } from '../../../src/docker/protobuf.ts';
import type { ObjectShape } from '../../../src/docker/shape.ts';
import { visit } from '../../../src/docker/visit.ts';
import type { JsonObject } from '../../../src/ground/json.ts';
import { MessageWriter } from '../../../src/ground/protobuf.ts';

const solve = buildkitMethods.find(({ id }) => id === 'BuildkitSolve')?.body.shape as ObjectShape;
const text = (value: string): Uint8Array => Buffer.from(value);

function message(...fields: readonly (readonly [number, Uint8Array | bigint])[]): Uint8Array {
  const writer = new MessageWriter();
  for (const [number, value] of fields) {
    if (typeof value === 'bigint') writer.varint(number, value);
    else writer.bytes(number, value);
  }
  return writer.finish();
}

const entry = (key: string, value: string): Uint8Array => message([1, text(key)], [2, text(value)]);

describe('a message of BuildKit', () => {
  it('is read by the names of the table', () => {
    const bytes = message(
      [1, text('ref1')],
      [7, entry('filename', 'Dockerfile')],
      [7, entry('build-arg:HTTP_PROXY', 'x')],
      [9, text('network.host')],
      [11, 1n],
      [13, message([1, text('moby')], [2, entry('name', 'a,b')])],
    );
    expect(JSON.parse(JSON.stringify(readMessage(solve, bytes)))).toEqual({
      value: {
        Ref: 'ref1',
        FrontendAttrs: { filename: 'Dockerfile', 'build-arg:HTTP_PROXY': 'x' },
        Entitlements: ['network.host'],
        Internal: true,
        Exporters: [{ Type: 'moby', Attrs: { name: 'a,b' } }],
      },
      unknown: [],
    });
  });

  it.each([
    ['a field twice', message([6, text('dockerfile.v0')], [6, text('gateway.v0')]), /Frontend stands twice/],
    ['a message twice', message([8, message()], [8, message()]), /Cache stands twice/],
    ['a key twice', message([7, entry('a', '1')], [7, entry('a', '2')]), /FrontendAttrs has the key "a" twice/],
    ['a text that is a number', message([6, 1n]), /Frontend has another type/],
    ['a flag that is a text', message([11, text('x')]), /Internal is not a number/],
    ['a text that is not UTF-8', message([6, Uint8Array.of(0xff)]), /Frontend is not UTF-8/],
    ['an entry with a third part', message([7, message([1, text('a')], [2, text('b')], [3, 1n])]), /is not a map/],
    ['an entry with two keys', message([7, message([1, text('a')], [1, text('b')])]), /is not a map/],
    ['what breaks off', Uint8Array.of(0x0a, 5, 1), /breaks off/],
    ['what breaks off inside', message([8, Uint8Array.of(0x0a, 5, 1)]), /Cache: the message breaks off/],
  ])('is refused with %s, which others could read otherwise', (_, bytes, words) => {
    expect(() => readMessage(solve, bytes)).toThrow(words);
  });

  // 16 MiB have room for eight million fields, each of a hundred times what it is on the wire: no heap has as much.
  it.each([
    ['of a list', message([9, text('')]), (fields: Uint8Array) => fields],
    ['that nobody knows', message([250, 1n]), (fields: Uint8Array) => fields],
    ['within another message', message([2, text('')]), (fields: Uint8Array) => message([8, fields])],
  ])('is refused with more fields than any has: %s', (_, field, around) => {
    const of = (count: number): Uint8Array => around(Buffer.alloc(count * field.length, field));
    expect(Object.keys(readMessage(solve, of(49_000)).value)).toHaveLength(1);
    expect(() => readMessage(solve, of(4_000_000))).toThrow('more than 50000 fields');
  });

  it('keeps what is not known, tells where it stands, and prints it again', () => {
    const bytes = message([1, text('ref1')], [99, text('new')], [13, message([1, text('moby')], [7, 5n])]);
    const { value, unknown } = readMessage(solve, bytes);
    expect(unknown.map(({ place }) => place)).toEqual(['["99"]', 'Exporters[0]["7"]']);
    const changed = { ...value, Frontend: 'dockerfile.v0' };
    expect(readMessage(solve, printMessage(solve, changed))).toMatchObject({
      value: { 99: latin1(message([99, text('new')])) },
    });
  });

  it('is printed byte for byte as it came where nothing was changed, since steps are named by their digest', () => {
    // In an order, and with neutral values, that no printer would choose.
    const step = message([11, message()], [2, message([4, 0n], [3, 2n])]);
    const bytes = message([6, text('')], [2, message([1, step])], [1, text('ref1')]);
    const { value } = readMessage(solve, bytes);
    expect(printMessage(solve, value)).toEqual(bytes);
    const renamed = visit(solve, value, (leaf) => (leaf.place === 'Ref' ? 'ref2' : leaf.value)) as JsonObject;
    const again = readMessage(solve, printMessage(solve, renamed)).value;
    expect(again.Ref).toBe('ref2');
    expect(latin1(printMessage(solve, again))).toContain(latin1(step));
  });

  it('keeps bytes that are no text', () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, byte) => byte);
    expect(fromLatin1(latin1(bytes))).toEqual(bytes);
  });
});
