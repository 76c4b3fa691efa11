import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Field, readFields as fieldsIn, MessageWriter, ProtobufFault } from '../../../src/ground/protobuf.ts';

const readFields = (message: Uint8Array): readonly Field[] => [...fieldsIn(message)];
const hex = (text: string): Uint8Array => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('the wire format of protocol buffers', () => {
  it('is read as its own documentation writes it', () => {
    // Test1 {a: 150}, Test2 {b: "testing"}, Test3 {c: Test1 {a: 150}}
    expect(readFields(hex('08 96 01'))).toMatchObject([{ number: 1, type: 'varint', varint: 150n }]);
    expect(readFields(hex('12 07 74 65 73 74 69 6e 67'))).toMatchObject([
      { number: 2, type: 'bytes', bytes: Buffer.from('testing') },
    ]);
    expect(readFields(hex('1a 03 08 96 01'))).toMatchObject([{ number: 3, bytes: hex('08 96 01') }]);
    expect(readFields(hex('08 ff ff ff ff ff ff ff ff ff 01'))).toMatchObject([{ varint: 0xffff_ffff_ffff_ffffn }]);
  });

  it.each([
    ['breaks off in a tag', '80'],
    ['breaks off in a number', '08 96'],
    ['breaks off in bytes', '12 07 74'],
    ['says more bytes than a machine has', '12 ff ff ff ff ff ff ff ff 7f'],
    ['has a group', '0b 0c'],
    ['has a field of number 0', '00 01'],
    ['has a number of 65 bits', '08 ff ff ff ff ff ff ff ff ff 03'],
    ['has a number that does not end', '08 80 80 80 80 80 80 80 80 80 80 01'],
  ])('is refused where it %s', (_, bytes) => {
    expect(() => readFields(hex(bytes))).toThrow(ProtobufFault);
  });

  it('comes back as it went, whatever stands in it', () => {
    const field = fc.oneof(
      fc.record({
        number: fc.integer({ min: 1, max: 0x1fff_ffff }),
        varint: fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }),
      }),
      fc.record({ number: fc.integer({ min: 1, max: 0x1fff_ffff }), bytes: fc.uint8Array({ maxLength: 300 }) }),
    );
    fc.assert(
      fc.property(fc.array(field, { maxLength: 20 }), (fields) => {
        const writer = new MessageWriter();
        for (const one of fields) {
          if ('varint' in one) writer.varint(one.number, one.varint);
          else writer.bytes(one.number, one.bytes);
        }
        const message = writer.finish();
        const read = readFields(message);
        expect(
          read.map(({ number, type, varint, bytes }) =>
            type === 'varint' ? { number, varint } : { number, bytes: new Uint8Array(bytes) },
          ),
        ).toEqual(fields);
        const again = new MessageWriter();
        for (const { raw } of read) again.raw(raw);
        expect(again.finish()).toEqual(message);
      }),
    );
  });
});
