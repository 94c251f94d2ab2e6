/** The session's shell on a page's clock and on timers that keep their time when the page is hidden. */
import type { ShellPlatform } from '../session-shell.ts';
import type { TimerOrder } from './thread-messages.ts';
import { startTimerThread } from './threads.ts';

/** A platform that owns a thread. Whoever opens it closes it. */
export interface PagePlatform extends ShellPlatform {
  /** Resolves with the reason when its timers run no more. */
  readonly lost: Promise<string>;
  close(): void;
}

/** Returns the page's platform. */
export function openPagePlatform(): PagePlatform {
  const thread = startTimerThread();
  const steps = new Map<number, () => void>();
  let timerCount = 0;
  const tell = (order: TimerOrder): void => thread.postMessage(order);
  thread.onmessage = ({ data: id }: MessageEvent<number>): void => {
    const step = steps.get(id);
    steps.delete(id);
    step?.();
  };
  const lost = new Promise<string>((resolve) => {
    thread.onerror = (event) => {
      event.preventDefault();
      resolve(event.message || 'the timers could not be loaded');
    };
  });
  return {
    lost,
    nowMs: () => performance.now(),
    chance: () => Math.random(),
    startTimer: (delayMs, step) => {
      const id = ++timerCount;
      steps.set(id, step);
      tell({ kind: 'start', id, delayMs });
      return () => {
        if (steps.delete(id)) tell({ kind: 'stop', id });
      };
    },
    close: () => thread.terminate(),
  };
}
