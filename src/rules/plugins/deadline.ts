/** A bound on how long somebody else's code may keep a promise waiting. */

export class Overdue extends Error {}

/**
 * What the work gives; rejects with `Overdue` when it takes too long. What it does later is nobody's concern. Code that
 * never gives the turn back (an endless loop) stops the whole process, and no deadline helps.
 */
export async function within<T>(deadlineMs: number, work: () => T | Promise<T>): Promise<T> {
  const working = work();
  if (!isThenable(working)) return working;
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Overdue(`no answer within ${deadlineMs} ms`)), deadlineMs);
  });
  const settled = Promise.resolve(working);
  // After the deadline nobody listens any more.
  settled.catch(() => {});
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function';
}
