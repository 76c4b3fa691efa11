// What one side of two joined connections may do to the other one, to us, and to itself: frames that no library would send.
import { expect, test } from 'vitest';
import type { ChannelUser } from '../../../src/wire/channel.ts';
import * as h2 from '../../../src/wire/h2/frames.ts';
import { FrameWalker, printFrame, printNumber } from '../../../src/wire/h2/frames.ts';
import { printFieldBlock } from '../../../src/wire/h2/hpack.ts';
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

function joined(verdict: Verdict = 'pass'): { asker: End; server: End; splice: Http2Splice } {
  const [asker, server] = [new End(0), new End(h2.PREFACE.length)];
  const nothing = Buffer.alloc(0);
  const splice = new Http2Splice(
    { channel: asker, bytes: nothing },
    { channel: server, bytes: nothing },
    () => verdict,
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
  const frames = [answered(3), data(3, 1), data(2, 1), printFrame(h2.WINDOW_UPDATE, 0, 2, printNumber(1))];
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
