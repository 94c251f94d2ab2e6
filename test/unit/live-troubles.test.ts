/** Which events of the log the dashboard shows. */
import { expect, test } from 'vitest';
import { Troubles } from '../../coordinator/gateway/live/troubles.ts';
import { liveTroublesMax } from '../../src/core/limits.ts';

test('refusals and failures are shown, with who and why, and nothing else', () => {
  const troubles = new Troubles(0);
  troubles.see('result-refused', { worker: 'a/b', job: 'j', tile: 't', code: 'residual', reason: 'off' }, 7);
  troubles.see('session-ended', { session: 's', address: '10.0.0.1', code: 1008, reason: 'no hello' }, 8);
  troubles.see('session-ended', { session: 's', address: '10.0.0.1', code: 1012, reason: 'restart' }, 9);
  troubles.see('session-opened', { session: 's' }, 9);
  troubles.see('store-failed', { job: 'j', tile: 't', reason: 'x'.repeat(10_000) }, 10);
  const shown = Object.values(troubles.view());
  expect(shown.map(({ event, text, atMs }) => [event, text.slice(0, 20), atMs])).toEqual([
    ['result-refused', 'a/b: off', 7],
    ['session-ended', '10.0.0.1: no hello', 8],
    ['store-failed', 'x'.repeat(20), 10],
  ]);
  expect(shown[2]?.text.length).toBeLessThan(300);
});

test('a flood of them changes little, and pushes out the oldest only', () => {
  const troubles = new Troubles(0);
  for (let count = 0; count < 10_000; count++) troubles.see('result-refused', { reason: `${count}` }, 0);
  expect(Object.values(troubles.view()).map(({ text }) => text)).toEqual(
    Array.from({ length: liveTroublesMax }, (_, count) => `${count}`),
  );
  troubles.see('tile-dead', { reason: 'late' }, 5000);
  const texts = Object.values(troubles.view()).map(({ text }) => text);
  expect(texts).toHaveLength(liveTroublesMax);
  expect([texts[0], texts.at(-1)]).toEqual(['1', 'late']);
});
