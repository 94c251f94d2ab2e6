/** The latest troubles, told from what goes into the log. */
import { liveTroublesMax } from '../../../src/core/limits.ts';
import type { LiveTrouble } from '../../../src/core/live/views.ts';
import type { LogFields } from '../log.ts';
import { TokenBucket } from '../token-bucket.ts';

/** Troubles taken: a flood of them must not become a flood of changes. */
const rate = { perSecond: 2, burst: liveTroublesMax };
const events = new Set([
  'result-refused',
  'tile-dead',
  'check-failed',
  'store-failed',
  'handshake-failed',
  'request-failed',
]);
/** Close codes of connections that ended in good order, or by the coordinator's own end. */
const goodCodes = new Set([1000, 1001, 1005, 1006, 1012]);
const textLengthMax = 200;

/** A list of bounded length. */
export class Troubles {
  private readonly list = new Map<number, LiveTrouble>();
  private readonly bucket: TokenBucket;
  private count = 0;

  constructor(nowMs: number) {
    this.bucket = new TokenBucket(rate, nowMs);
  }

  /** Takes an event of the log, if it is trouble. */
  see(event: string, fields: LogFields, nowMs: number): void {
    const isRefusal = event === 'session-ended' && !goodCodes.has(Number(fields.code));
    if ((!isRefusal && !events.has(event)) || !this.bucket.take(1, nowMs)) return;
    const who = fields.worker ?? fields.address;
    const what = fields.reason ?? '';
    const text = `${who === undefined || who === '' ? '' : `${who}: `}${what}`.slice(0, textLengthMax);
    this.list.set(++this.count, { atMs: Math.round(nowMs), event, text });
    const [oldest] = this.list.keys();
    if (this.list.size > liveTroublesMax && oldest !== undefined) this.list.delete(oldest);
  }

  view(): Readonly<Record<string, LiveTrouble>> {
    return Object.fromEntries(this.list);
  }
}
