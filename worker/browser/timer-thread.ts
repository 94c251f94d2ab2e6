/** Timers for a page that is hidden: those of a page fire once a minute then, and its coordinator would take it for dead. */
import type { TimerOrder } from './thread-messages.ts';

const timers = new Map<number, ReturnType<typeof setTimeout>>();

self.onmessage = ({ data: order }: MessageEvent<TimerOrder>): void => {
  clearTimeout(timers.get(order.id));
  timers.delete(order.id);
  if (order.kind === 'stop') return;
  const fire = (): void => {
    timers.delete(order.id);
    self.postMessage(order.id);
  };
  timers.set(order.id, setTimeout(fire, order.delayMs));
};
