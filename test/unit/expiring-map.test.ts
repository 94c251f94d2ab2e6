import { expect, it } from 'vitest';
import { ExpiringMap } from '../../coordinator/cluster/expiring-map.ts';

it('a value is there until its time ends, which setting it again moves', () => {
  let nowMs = 0;
  const map = new ExpiringMap<string>(() => nowMs);
  map.set('a', 'one', 10);
  nowMs = 9;
  expect(map.get('a')).toBe('one');
  map.set('a', 'two', 20);
  nowMs = 19;
  expect(map.get('a')).toBe('two');
  nowMs = 20;
  expect(map.get('a')).toBeUndefined();
  map.set('b', 'over', 20);
  expect(map.get('b')).toBeUndefined();
  map.set('c', 'here', 30);
  map.delete('c');
  map.delete('never');
  expect(map.get('c')).toBeUndefined();
});

it('ever new names leave only what is not over', () => {
  let nowMs = 0;
  const map = new ExpiringMap<number>(() => nowMs);
  let sizeMax = 0;
  for (; nowMs < 10_000; nowMs++) {
    map.set(`name ${nowMs}`, nowMs, nowMs + 100);
    sizeMax = Math.max(sizeMax, map.size);
  }
  expect(sizeMax).toBeLessThanOrEqual(256);
  for (let before = 1; before < 100; before++) expect(map.get(`name ${nowMs - before}`)).toBe(nowMs - before);
  expect(map.get(`name ${nowMs - 100}`)).toBeUndefined();
});

it('all that is not over is held, however much it is', () => {
  const map = new ExpiringMap<number>(() => 0);
  for (let k = 0; k < 1000; k++) map.set(`name ${k}`, k, 1);
  expect(map.size).toBe(1000);
  expect(map.get('name 0')).toBe(0);
});
