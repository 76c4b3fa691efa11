// What one side of two joined connections may do to the other one, to us, and to itself: frames that no library would send.
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChannelUser } from '../../../src/wire/channel.ts';
import * as h2 from '../../../src/wire/h2/frames.ts';
import { FrameWalker, printFrame, printNumber } from '../../../src/wire/h2/frames.ts';
import { printFieldBlock, readFieldBlock } from '../../../src/wire/h2/hpack.ts';
import type { SpliceEnd } from '../../../src/wire/h2/side.ts';
import { Http2Splice, type Verdict } from '../../../src/wire/h2/splice.ts';

/** A connection of which every write is seen, and which takes as much as it is told to. */
class End implements SpliceEnd {
  user: ChannelUser = { onBytes() {}, onEof() {}, onFlushed() {}, onClosed() {} };
  closed = false;
  ended = false;
  takes = true;
  writes = 0;
  readonly heard: { type: number; flags: number; stream: number; payload: Buffer }[] = [];
  private readonly walker = new FrameWalker({
    pass() {},
    destinationOf: () => null,
    take: ({ type, flags, stream }, payload) => this.heard.push({ type, flags, stream, payload }),
  });
  private prefaceBytes: number;

  constructor(prefaceBytes: number) {
    this.prefaceBytes = prefaceBytes;
  }

  write(bytes: Buffer): boolean {
    this.writes++;
    const skipped = Math.min(this.prefaceBytes, bytes.length);
    this.prefaceBytes -= skipped;
    this.walker.push(Buffer.from(bytes.subarray(skipped)));
    return this.takes;
  }

  say(...frames: readonly Buffer[]): void {
    const bytes = Buffer.concat(frames);
    if (!this.closed) this.user.onBytes(bytes, 0, bytes.length);
  }

  frames(type: number): readonly { flags: number; stream: number; payload: Buffer }[] {
    return this.heard.filter((one) => one.type === type);
  }

  pause(): void {}
  resume(): void {}
  end(): void {}

  destroy(): void {
    if (this.closed) return;
    this.closed = true;
    this.user.onClosed(null);
  }
}

const asked = (stream: number): Buffer =>
  printFrame(h2.HEADERS, h2.END_HEADERS, stream, printFieldBlock([':method', 'POST', ':path', '/asked']));
const answered = (stream: number): Buffer =>
  printFrame(h2.HEADERS, h2.END_HEADERS, stream, printFieldBlock([':status', '200']));
const data = (stream: number, bytes: number): Buffer => printFrame(h2.DATA, 0, stream, Buffer.alloc(bytes));

const settings = (end: End, number: number): readonly (number | null)[] =>
  end.frames(h2.SETTINGS).map(({ payload }) => h2.settingIn(payload, number));

function joined(verdict: Verdict | (() => Verdict) = 'pass'): { asker: End; server: End; splice: Http2Splice } {
  const [asker, server] = [new End(0), new End(h2.PREFACE.length)];
  const nothing = Buffer.alloc(0);
  const splice = new Http2Splice(
    { channel: asker, bytes: nothing },
    { channel: server, bytes: nothing },
    typeof verdict === 'function' ? verdict : () => verdict,
  );
  asker.say(h2.PREFACE, printFrame(h2.SETTINGS, 0, 0, nothing));
  server.say(printFrame(h2.SETTINGS, 0, 0, nothing), printFrame(h2.WINDOW_UPDATE, 0, 0, printNumber(1 << 20)));
  return { asker, server, splice };
}

const roomIn = (end: End): number =>
  end.frames(h2.WINDOW_UPDATE).reduce((sum, { payload }) => sum + payload.readUInt32BE(0), 0);

test('who sends to no end, and reads nothing, is not written to for it', () => {
  const { asker, server } = joined({ watch: () => ({ endedBy: ['grpc-status', '7'] }) });
  asker.say(asked(1));
  server.say(answered(1), data(1, 10));
  expect(roomIn(server)).toBe(10);
  server.takes = false;
  const before = server.writes;
  for (let i = 0; i < 10_000; i++) server.say(data(1, 10));
  expect(server.writes - before).toBeLessThan(3);
  server.takes = true;
  server.user.onFlushed();
  expect(roomIn(server)).toBe(10 + 100_000);
  expect(asker.frames(h2.DATA)).toEqual([]);
});

test('what is held is bounded, in bytes and in frames', () => {
  for (const bytes of [0, 1, 16_384]) {
    const { asker, server } = joined({ watch: () => 'hold' });
    asker.say(asked(1));
    server.say(answered(1));
    for (let i = 0; i < 60; i++) server.say(data(1, bytes));
    expect(server.closed).toBe(false);
    for (let i = 0; i < 1000; i++) server.say(data(1, bytes));
    expect([server.closed, asker.closed]).toEqual([true, true]);
  }
});

test('nothing is answered that has not been asked', () => {
  const frames = [answered(3), data(3, 1), data(2, 1), data(0, 1), printFrame(h2.WINDOW_UPDATE, 0, 2, printNumber(1))];
  for (const frame of frames) {
    const { asker, server } = joined();
    asker.say(asked(1));
    server.say(answered(1), data(1, 1));
    expect(asker.frames(h2.DATA)).toHaveLength(1);
    const heard = asker.heard.length;
    server.say(frame);
    expect([server.closed, asker.closed, asker.heard.length]).toEqual([true, true, heard]);
  }
});

test('a call of ours that has waited for the end of a frame comes before calls with higher numbers', () => {
  const { asker, server, splice } = joined();
  const large = data(1, 1000);
  asker.say(asked(1), large.subarray(0, 500));
  void splice.ask([':method', 'POST', ':path', '/own'], Buffer.from('own'), 1000);
  expect(server.frames(h2.HEADERS)).toHaveLength(1);
  asker.say(large.subarray(500), asked(3));
  expect(server.frames(h2.HEADERS).map(({ stream }) => stream)).toEqual([1, 3, 5]);
  server.destroy();
});

test('of a transfer that the engine gives up nothing more passes, and what was held takes no room from others', () => {
  const { asker, server } = joined({ watch: () => 'hold' });
  asker.say(asked(1));
  server.say(answered(1), data(1, 5000));
  asker.say(printFrame(h2.RST_STREAM, 0, 1, printNumber(8)));
  expect(server.frames(h2.RST_STREAM).map(({ stream }) => stream)).toEqual([1]);
  expect(roomIn(server)).toBe(5000);
  server.say(data(1, 700));
  expect(roomIn(server)).toBe(5700);
  expect(asker.frames(h2.DATA)).toEqual([]);
});

test('a transfer that is reset while it is held takes no room and no memory any more, and nothing of it passes', () => {
  const { asker, server } = joined({ watch: () => 'hold' });
  for (let stream = 1; stream < 200; stream += 2) {
    asker.say(asked(stream));
    server.say(answered(stream), ...Array.from({ length: 50 }, () => data(stream, 16_384)));
    const before = roomIn(server);
    server.say(printFrame(h2.RST_STREAM, 0, stream, printNumber(8)));
    expect(roomIn(server) - before).toBe(50 * 16_384);
    // It is over for both sides.
    server.say(data(stream, 7));
    expect(roomIn(server) - before).toBe(50 * 16_384 + 7);
  }
  expect(asker.frames(h2.RST_STREAM)).toHaveLength(100);
  expect(asker.frames(h2.DATA)).toEqual([]);
});

test('an answer that ends in the middle of what is held passes as it is, not as if it were shorter', () => {
  const trailers = printFrame(h2.HEADERS, h2.END_HEADERS | h2.END_STREAM, 1, printFieldBlock(['grpc-status', '0']));
  for (const end of [trailers, printFrame(h2.DATA, h2.END_STREAM, 1, Buffer.alloc(0))]) {
    const { asker, server } = joined({ watch: () => 'hold' });
    asker.say(asked(1));
    server.say(answered(1), data(1, 10));
    expect(asker.frames(h2.DATA)).toEqual([]);
    server.say(end);
    expect(asker.frames(h2.DATA)[0]?.payload).toHaveLength(10);
    expect((asker.heard.at(-1)?.flags ?? 0) & h2.END_STREAM).toBe(h2.END_STREAM);
  }
});

test('a fault of ours ends what it was met in, and is told', async () => {
  const ours = new Error('a fault of ours');
  const { asker, server, splice } = joined(() => {
    throw ours;
  });
  asker.say(asked(1));
  expect([asker.closed, server.closed]).toEqual([true, true]);
  expect(await splice.ended).toBe(ours);

  const watched = joined({
    watch: () => {
      throw ours;
    },
  });
  watched.asker.say(asked(1));
  watched.server.say(answered(1), data(1, 1));
  expect(await watched.splice.ended).toBe(ours);
});

test('an answer of ours may be longer than a frame', () => {
  const why = 'y'.repeat(40_000);
  const { asker, server } = joined({ refusedBy: [':status', '200', 'grpc-message', why] });
  asker.say(asked(1), data(1, 100));
  const frames = asker.heard.filter(({ stream }) => stream === 1);
  expect(frames.map(({ type }) => type)).toEqual([h2.HEADERS, h2.CONTINUATION, h2.CONTINUATION]);
  const flags = [h2.END_STREAM, 0, h2.END_HEADERS];
  expect(frames.map((one) => one.flags)).toEqual(flags);
  const block = Buffer.concat(frames.map(({ payload }) => payload));
  expect(readFieldBlock(block)).toEqual([':status', '200', 'grpc-message', why]);
  expect(server.frames(h2.HEADERS)).toEqual([]);
});

test('a header block that is begun and not continued, or never ends, reaches nobody', () => {
  const begun = printFrame(h2.HEADERS, 0, 1, printFieldBlock([':status', '200']));
  const more = printFrame(h2.CONTINUATION, 0, 1, Buffer.alloc(0));
  const endings = [
    [answered(1)],
    [data(1, 1)],
    [printFrame(h2.CONTINUATION, h2.END_HEADERS, 3, Buffer.alloc(0))],
    Array.from({ length: 2000 }, () => more),
    Array.from({ length: 100 }, () => printFrame(h2.CONTINUATION, 0, 1, Buffer.alloc(16_384))),
  ];
  for (const ending of endings) {
    const { asker, server } = joined();
    asker.say(asked(1), asked(3));
    const heard = asker.heard.length;
    server.say(begun, ...ending);
    expect([server.closed, asker.closed, asker.heard.length]).toEqual([true, true, heard]);
  }
  // The control: one that is continued passes as a whole.
  const { asker, server } = joined();
  asker.say(asked(1));
  server.say(begun, more, printFrame(h2.CONTINUATION, h2.END_HEADERS, 1, Buffer.alloc(0)));
  expect(asker.frames(h2.HEADERS)).toMatchObject([{ flags: h2.END_HEADERS, stream: 1 }]);
});

test('what is pushed, padded, compressed by a table, or larger than a frame of which something is to be read ends the session', () => {
  const long = printFrame(h2.GOAWAY, 0, 0, Buffer.alloc(h2.MAX_FRAME_BYTES + 1));
  const frames = [
    long,
    printFrame(h2.SETTINGS, 0, 0, Buffer.alloc(6 * 3000)),
    printFrame(h2.PUSH_PROMISE, h2.END_HEADERS, 1, Buffer.alloc(4)),
    printFrame(h2.HEADERS, h2.END_HEADERS | h2.PADDED, 1, Buffer.from([0])),
    printFrame(h2.DATA, h2.PADDED, 1, Buffer.from([0])),
    printFrame(h2.WINDOW_UPDATE, 0, 0, Buffer.alloc(3)),
    printFrame(h2.GOAWAY, 0, 0, Buffer.alloc(7)),
  ];
  for (const frame of frames) {
    const { asker, server } = joined({ watch: () => 'pass' });
    asker.say(asked(1));
    server.say(answered(1));
    const heard = asker.heard.length;
    server.say(frame);
    expect([server.closed, asker.closed, asker.heard.length]).toEqual([true, true, heard]);
  }
});

test('nobody is told that the other side keeps a table, or takes larger frames than everybody does', () => {
  const { asker, server } = joined();
  const larger = h2.withSetting(
    h2.withSetting(Buffer.alloc(0), h2.HEADER_TABLE_SIZE, 4096),
    h2.MAX_FRAME_SIZE,
    1 << 20,
  );
  for (const end of [asker, server]) end.say(printFrame(h2.SETTINGS, 0, 0, larger));
  for (const end of [asker, server]) {
    expect(settings(end, h2.HEADER_TABLE_SIZE)).toEqual([0, 0]);
    expect(settings(end, h2.MAX_FRAME_SIZE)).toEqual([h2.MAX_FRAME_BYTES, h2.MAX_FRAME_BYTES]);
  }
});

test('a goodbye names the last call that is served, as each side names it', async () => {
  const { asker, server, splice } = joined();
  asker.say(asked(1));
  const own = splice.ask([':method', 'POST', ':path', '/own'], Buffer.from('own'), 60_000);
  asker.say(asked(3), asked(5));
  expect(server.frames(h2.HEADERS).map(({ stream }) => stream)).toEqual([1, 3, 5, 7]);
  const lasts = [0x7fff_ffff, 7, 5, 3, 1, 0];
  for (const last of lasts) server.say(printFrame(h2.GOAWAY, 0, 0, Buffer.concat([printNumber(last), printNumber(0)])));
  expect(asker.frames(h2.GOAWAY).map(({ payload }) => payload.readUInt32BE())).toEqual([0x7fff_ffff, 5, 3, 1, 1, 0]);
  expect(await own).toBeNull();
});

const frames = fc.record({
  type: fc.constantFrom(...Array.from({ length: 11 }, (_, type) => type)),
  flags: fc.constantFrom(0, 1, 4, 5, 5, 5, 8, 0x20, 0xff),
  stream: fc.constantFrom(0, 1, 1, 1, 3, 3, 5, 7, 2, 0x8000_0001, 0x7fff_ffff),
  payload: fc.oneof(
    fc.constantFrom(printFieldBlock([':status', '200']), printNumber(8), Buffer.alloc(0), Buffer.from('bad')),
    fc.uint8Array({ maxLength: 40 }).map(Buffer.from),
  ),
});
const steps = fc.array(
  fc.oneof(
    { weight: 8, arbitrary: frames.map((frame) => ({ says: frame, asks: false })) },
    { weight: 2, arbitrary: fc.constant({ says: null, asks: true }) },
  ),
  { maxLength: 60 },
);

test('whatever is said, each side hears whole frames of what it has asked, and nothing of what was not to pass', () => {
  fc.assert(
    fc.property(steps, fc.integer({ min: 1, max: 30 }), (all, cut) => {
      let seen = '';
      const { asker, server, splice } = joined({
        watch: (payload) => {
          seen = (seen + payload.toString('latin1')).slice(-3);
          return seen.includes('bad') ? { endedBy: ['grpc-status', '7'] } : seen.endsWith('b') ? 'hold' : 'pass';
        },
      });
      let next = 1;
      for (const { says, asks } of all) {
        if (asks && !asker.closed) {
          asker.say(asked(next));
          next += 2;
          if (next % 6 === 1) void splice.ask([':path', '/own'], Buffer.from('own'), 1);
        }
        if (says === null) continue;
        const bytes = printFrame(says.type, says.flags, says.stream, says.payload);
        for (let at = 0; at < bytes.length; at += cut) server.say(Buffer.from(bytes.subarray(at, at + cut)));
      }
      const streams = asker.heard.map(({ stream }) => stream).filter((stream) => stream > 0);
      for (const stream of streams) expect(stream % 2 === 1 && stream < next).toBe(true);
      expect(Buffer.concat(asker.frames(h2.DATA).map(({ payload }) => payload)).includes('bad')).toBe(false);
      expect(
        server.frames(h2.HEADERS).every(({ stream }, i, before) => i === 0 || stream > (before[i - 1]?.stream ?? 0)),
      ).toBe(true);
      expect(asker.closed).toBe(server.closed);
      asker.destroy();
    }),
    { numRuns: 500 },
  );
});
