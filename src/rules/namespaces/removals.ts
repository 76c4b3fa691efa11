/** What an engine is told to remove when namespaces end: a few things at a time, whosever they are, in the order in which they are due. */

/** An engine works on containers one by one anyway, and whoever else calls it waits behind them. */
const TOGETHER = 4;
/** Whatever takes longer keeps nobody else waiting. */
const LONG_MS = 5000;

export class Removals {
  private running = 0;
  private readonly waiting: (() => void)[] = [];

  async take<T>(remove: () => Promise<T>): Promise<T> {
    if (this.running < TOGETHER) this.running++;
    else await new Promise<void>((resolve) => void this.waiting.push(resolve));
    let left = false;
    const leave = (): void => {
      if (left) return;
      left = true;
      const next = this.waiting.shift();
      // The place goes from hand to hand.
      if (next === undefined) this.running--;
      else next();
    };
    const timer = setTimeout(leave, LONG_MS).unref();
    try {
      return await remove();
    } finally {
      clearTimeout(timer);
      leave();
    }
  }
}
