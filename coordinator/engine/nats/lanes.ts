/** Bounds how many steps are under way at a time, and keeps those of one name in order. */

/** Runs steps. */
export class Lanes {
  private readonly countMax: number;
  private count = 0;
  private readonly waiting: (() => void)[] = [];
  private readonly lastOfName = new Map<string | symbol, Promise<unknown>>();

  constructor(countMax: number) {
    this.countMax = countMax;
  }

  /** Runs a step after all of its name that were asked for before, once a lane is free; a symbol names it alone. */
  run<T>(name: string | symbol, step: () => Promise<T>): Promise<T> {
    const before = this.lastOfName.get(name);
    const result = before === undefined ? this.inLane(step) : before.then(() => this.inLane(step));
    const settled = result.then(
      () => undefined,
      () => undefined,
    );
    this.lastOfName.set(name, settled);
    settled.then(() => {
      if (this.lastOfName.get(name) === settled) this.lastOfName.delete(name);
    });
    return result;
  }

  /** Resolves when nothing is under way or waits. */
  async idle(): Promise<void> {
    while (this.lastOfName.size > 0) await Promise.all(this.lastOfName.values());
  }

  private async inLane<T>(step: () => Promise<T>): Promise<T> {
    if (this.count >= this.countMax) await new Promise<void>((resolve) => this.waiting.push(resolve));
    else this.count++;
    try {
      return await step();
    } finally {
      const next = this.waiting.shift();
      if (next === undefined) this.count--;
      else next();
    }
  }
}
