/**
 * The service's log: one JSON line per event. Values are quoted by JSON, so nothing a peer sends can break a line, and cut, so
 * that it cannot fill the disk. What is logged is chosen field by field; tokens never are.
 */
import { logTextLengthMax } from '../../src/core/limits.ts';

/** What an event says besides its name. */
export type LogFields = Readonly<Record<string, string | number | boolean>>;

/** Writes one event. */
export type Log = (event: string, fields?: LogFields) => void;

/** Returns a log that writes lines, each with its time in UTC first. */
export function openLog(write: (line: string) => void): Log {
  return (event, fields = {}) => {
    const cut = Object.entries(fields).map(([name, value]) => [
      name,
      typeof value === 'string' ? value.slice(0, logTextLengthMax) : value,
    ]);
    const line = JSON.stringify({ time: new Date().toISOString(), event, ...Object.fromEntries(cut) });
    write(`${line.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, escaped)}\n`);
  };
}

/** JSON leaves some characters alone that break lines or turn them round on a screen. */
function escaped(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
}
