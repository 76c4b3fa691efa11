/** One small question to an engine, with a deadline: for what Berthgate itself wants to know. */

import { engineRefusal } from '../exchange/engine-fault.ts';
import { type Json, JsonFault, readJson } from '../ground/json.ts';
import { Refusal } from '../ground/refusal.ts';
import type { EnginePool } from '../wire/outbound.ts';

const MOST_BYTES = 1024 * 1024;
const DEPTH = 16;

/** The JSON of a 200. @throws Refusal engine-refused, engine-timeout, engine-reset, engine-garbage */
export async function askJson(pool: EnginePool, target: string, deadlineMs: number): Promise<Json> {
  const bytes = await ask(pool, target, deadlineMs);
  try {
    return readJson(bytes, DEPTH);
  } catch (fault) {
    if (fault instanceof JsonFault) throw garbage('the engine answered something that is not JSON', fault);
    throw fault;
  }
}

function ask(pool: EnginePool, target: string, deadlineMs: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const pieces: Buffer[] = [];
    let bytes = 0;
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      settle();
    };
    const keep = (chunk: Buffer): boolean => {
      bytes += chunk.length;
      if (bytes > MOST_BYTES) {
        giveUp(garbage('the engine answered more than the question is worth'));
        return true;
      }
      // The wire reads on into the same memory.
      pieces.push(Buffer.from(chunk));
      return true;
    };
    const giveUp = (refusal: Refusal): void => {
      call.abort();
      end(() => reject(refusal));
    };
    const request = { method: 'GET', target, headers: ['Host', 'docker'], body: null, upgrade: null };
    const call = pool.send(request, {
      onHead: (head, body, complete) => {
        if (head.status !== 200) {
          giveUp(garbage(`the engine answered ${head.status}`));
          return true;
        }
        if (body !== null) keep(body);
        if (complete) end(() => resolve(Buffer.concat(pieces)));
        return true;
      },
      onData: keep,
      onEnd: () => end(() => resolve(Buffer.concat(pieces))),
      onUpgrade: (_head, tunnel) => {
        tunnel.channel.destroy();
        end(() => reject(garbage('the engine answered with another protocol')));
      },
      onFault: (fault) => end(() => reject(engineRefusal(fault))),
    });
    const timer = setTimeout(
      () => giveUp(new Refusal('engine-timeout', 'the engine did not answer in time')),
      deadlineMs,
    );
  });
}

function garbage(message: string, cause?: unknown): Refusal {
  return new Refusal('engine-garbage', message, cause === undefined ? {} : { cause });
}
