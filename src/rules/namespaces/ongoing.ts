/** What is being done now, and for which namespaces. */

export class Ongoing {
  private readonly counts = new Map<string, number>();

  has(namespace: string): boolean {
    return this.counts.has(namespace);
  }

  async during<T>(namespace: string, act: () => Promise<T>): Promise<T> {
    this.counts.set(namespace, (this.counts.get(namespace) ?? 0) + 1);
    try {
      return await act();
    } finally {
      const others = (this.counts.get(namespace) ?? 1) - 1;
      if (others === 0) this.counts.delete(namespace);
      else this.counts.set(namespace, others);
    }
  }
}
