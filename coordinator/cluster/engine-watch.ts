/** Whether the engine can be reached: a gateway that is cut off from it can neither grant nor commit, and others may do so. */
import type { NatsLink } from '../engine/nats/connection.ts';

/** Follows a connection for as long as it is open. */
export class EngineWatch {
  private readonly nowMs: () => number;
  private lostAt: number | null = null;

  /** @param nowMs monotonic milliseconds */
  constructor(link: NatsLink, nowMs: () => number) {
    this.nowMs = nowMs;
    void this.follow(link);
  }

  /** Milliseconds since the connection was lost; 0 while it is there. */
  awayMs(): number {
    return this.lostAt === null ? 0 : this.nowMs() - this.lostAt;
  }

  private async follow({ connection }: NatsLink): Promise<void> {
    for await (const { type } of connection.status()) {
      if (type === 'disconnect') this.lostAt ??= this.nowMs();
      else if (type === 'reconnect') this.lostAt = null;
    }
  }
}
