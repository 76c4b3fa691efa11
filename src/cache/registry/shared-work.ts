/** What many want at the same moment is done once. */

export class SharedWork<T> {
  private readonly running = new Map<string, Promise<T>>();

  has(key: string): boolean {
    return this.running.has(key);
  }

  share(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.running.get(key);
    if (before !== undefined) return before;
    const now = work().finally(() => this.running.delete(key));
    this.running.set(key, now);
    return now;
  }
}
