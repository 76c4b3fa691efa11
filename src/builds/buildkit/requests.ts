/** What the calls of one connection say: each of them one message, and as much as all of them together may hold in memory. */

import type { Readable } from 'node:stream';
import { Refusal } from '../../ground/refusal.ts';
import { OnlyMessage } from './message-reader.ts';

/** Twice what the largest message takes. */
const MAX_HELD_BYTES = 32 * 1024 * 1024;

export class Requests {
  private readonly timeoutMs: number;
  private heldBytes = 0;

  constructor(timeoutMs: number) {
    this.timeoutMs = timeoutMs;
  }

  /** What is read counts until the request is closed. @throws Refusal */
  read(request: Readable): Promise<Uint8Array> {
    const only = new OnlyMessage();
    let bytes = 0;
    return new Promise((resolve, reject) => {
      const stop = (fault: unknown): void => {
        clearTimeout(timer);
        // Whoever goes on to say it can still be told why it was refused.
        request.off('data', take).resume();
        reject(fault);
      };
      const take = (piece: Buffer): void => {
        bytes += piece.length;
        this.heldBytes += piece.length;
        try {
          if (this.heldBytes > MAX_HELD_BYTES) throw tooMuch();
          only.push(piece);
        } catch (fault) {
          stop(fault);
        }
      };
      const timer = setTimeout(() => stop(tooSlow(this.timeoutMs)), this.timeoutMs);
      request.on('data', take);
      request.once('end', () => {
        clearTimeout(timer);
        try {
          resolve(only.end());
        } catch (fault) {
          reject(fault);
        }
      });
      request.once('close', () => {
        this.heldBytes -= bytes;
        stop(new Refusal('unreadable-body', 'the call was given up before all of it was said'));
      });
    });
  }
}

function tooMuch(): Refusal {
  return new Refusal('body-too-large', 'the calls of one connection say more than 32 MiB at a time');
}

function tooSlow(timeoutMs: number): Refusal {
  return new Refusal('too-slow', `the message did not arrive within ${timeoutMs} ms`);
}
