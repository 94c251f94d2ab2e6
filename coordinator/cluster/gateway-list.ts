/**
 * The gateways that are up: each writes its URL into a cell `gateway.<name>` every few seconds. One that has not done so for
 * gatewaySilentMs, by the clock of whoever looks, is gone.
 */

import { gatewaySilentMs } from '../../src/core/limits.ts';
import type { Cells } from '../engine/nats/cells.ts';

/** What the list is made with. */
export interface GatewayListOptions {
  readonly cells: Cells;
  /** Names this gateway; no other may have the name. */
  readonly gateway: string;
  /** Monotonic milliseconds. */
  readonly nowMs: () => number;
}

const prefix = 'gateway.';

/** The last word of a gateway. */
interface Seen {
  readonly url: string;
  readonly seenAt: number;
  readonly revision: number;
}

/** Follows who is up, and says that we are. */
export class GatewayList {
  private readonly options: GatewayListOptions;
  private readonly seen = new Map<string, Seen>();
  private url: string | undefined;
  private timer: ReturnType<typeof setInterval> | undefined;
  private stop: () => void = () => undefined;

  constructor(options: GatewayListOptions) {
    this.options = options;
  }

  /** Begins to follow the others. */
  async open(): Promise<void> {
    const { cells, nowMs } = this.options;
    this.stop = await cells.watch(`${prefix}*`, (key, cell) => {
      const name = key.slice(prefix.length);
      if (cell === null) this.seen.delete(name);
      else {
        const url = new TextDecoder().decode(cell.value);
        this.seen.set(name, { url, seenAt: nowMs(), revision: cell.revision });
      }
    });
  }

  /** Says from now on that this gateway is up, and where. */
  announce(url: string): void {
    this.url = url;
    const say = (): void => {
      const { cells, gateway } = this.options;
      cells.put(prefix + gateway, new TextEncoder().encode(url)).catch(() => undefined);
      this.sweep();
    };
    say();
    this.timer = setInterval(say, gatewaySilentMs / 3);
  }

  /** URLs of all gateways that are up, our own among them. */
  all(): readonly string[] {
    return [...new Set([...(this.url === undefined ? [] : [this.url]), ...this.others()])];
  }

  /** URLs of all other gateways that are up. */
  others(): readonly string[] {
    const { gateway, nowMs } = this.options;
    const now = nowMs();
    const live = [...this.seen].filter(
      ([name, { seenAt }]) => name !== gateway && now - seenAt < gatewaySilentMs,
    );
    return [...new Set(live.map(([, { url }]) => url))].filter((url) => url !== this.url);
  }

  /** Removes the cells of gateways that died, by their last word that we know of: who comes next takes every cell for one that is up. */
  private sweep(): void {
    const { cells, gateway, nowMs } = this.options;
    for (const [name, { seenAt, revision }] of this.seen)
      if (name !== gateway && nowMs() - seenAt > 4 * gatewaySilentMs)
        cells.remove(prefix + name, revision).catch(() => undefined);
  }

  /** URLs of the others that were up when something was last heard of any: what is left to a gateway that hears nothing. */
  lastHeard(): readonly string[] {
    const others = [...this.seen].filter(([name]) => name !== this.options.gateway).map(([, seen]) => seen);
    const last = Math.max(...others.map(({ seenAt }) => seenAt));
    const live = others.filter(({ seenAt }) => last - seenAt < gatewaySilentMs);
    return [...new Set(live.map(({ url }) => url))].filter((url) => url !== this.url);
  }

  async close(): Promise<void> {
    const { cells, gateway } = this.options;
    clearInterval(this.timer);
    this.stop();
    if (this.timer !== undefined) await cells.remove(prefix + gateway).catch(() => undefined);
  }
}
