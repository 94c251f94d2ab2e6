/**
 * The service's log: one JSON line per event. Values are quoted by JSON, so nothing a peer sends can break a line, and cut, so
 * that it cannot fill the disk. What is logged is chosen field by field; tokens never are.
 */
import { performance } from 'node:perf_hooks';
import { logTextLengthMax } from '../../src/core/limits.ts';
import { TokenBucket } from './token-bucket.ts';

/** What an event says besides its name. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Writes one event. */
export type Log = (event: string, fields?: LogFields) => void;

/** Lines of one event: peers decide how often some happen, and must not fill the disk with them. */
const lineRate = { perSecond: 20, burst: 200 };

/**
 * Returns a log that writes lines, each with its time in UTC first. Where one event comes too often lines are left out, and the
 * next one says how many (`suppressed`).
 */
export function openLog(write: (line: string) => void): Log {
  const rates = new Map<string, { readonly bucket: TokenBucket; suppressed: number }>();
  return (event, fields = {}) => {
    const now = performance.now();
    const rate = rates.get(event) ?? { bucket: new TokenBucket(lineRate, now), suppressed: 0 };
    rates.set(event, rate);
    if (!rate.bucket.take(1, now)) {
      rate.suppressed++;
      return;
    }
    const cut = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.slice(0, logTextLengthMax) : value,
    ]);
    const missing = rate.suppressed === 0 ? {} : { suppressed: rate.suppressed };
    rate.suppressed = 0;
    const line = JSON.stringify({
      time: new Date().toISOString(),
      event,
      ...Object.fromEntries(cut),
      ...missing,
    });
    write(`${line.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, escaped)}\n`);
  };
}

/** JSON leaves some characters alone that break lines or turn them round on a screen. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
