/** A viewer that follows the changes has the state. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { applyPatch, diffJson } from '../../src/core/live/patch.ts';

/** Values that share parts with each other, as successive states do. */
const { state } = fc.letrec((tie) => ({
  state: fc.oneof(
    { maxDepth: 4 },
    fc.constantFrom(null, true, false, 0, 1, 2.5, '', 'a', 'job'),
    fc.string({ unit: fc.constantFrom('0', '1', '7'), minLength: 30, maxLength: 80 }),
    fc.array(tie('state'), { maxLength: 5 }),
    fc.dictionary(fc.constantFrom('a', 'b', 'c', '0', '1', '__proto__', 'constructor'), tie('state'), {
      maxKeys: 5,
    }),
  ),
}));

const overTheWire = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe('a patch', () => {
  test('makes the next state of the one before, over any number of states', () => {
    fc.assert(
      fc.property(fc.array(state, { minLength: 2, maxLength: 6 }), (states) => {
        let followed = overTheWire(states[0]);
        states.slice(1).forEach((next, index) => {
          const patch = diffJson(states[index], next);
          followed = patch === undefined ? followed : applyPatch(followed, overTheWire(patch));
          expect(followed).toEqual(overTheWire(next));
        });
        expect(Object.keys(Object.prototype)).toEqual([]);
      }),
      { numRuns: 500 },
    );
  });

  test('is none where nothing has changed, and leaves the old state as it was', () => {
    fc.assert(
      fc.property(state, state, (one, other) => {
        expect(diffJson(one, overTheWire(one))).toBeUndefined();
        const before = JSON.stringify(one);
        applyPatch(one, overTheWire(diffJson(one, other) ?? [0, one]));
        expect(JSON.stringify(one)).toBe(before);
      }),
    );
  });

  test('of a long text names only what has changed in it', () => {
    const old = '0'.repeat(4096);
    const next = `${old.slice(0, 100)}777${old.slice(103, 2000)}1${old.slice(2001)}`;
    expect(diffJson(old, next)).toEqual([3, 100, '777', 2000, '1']);
    expect(applyPatch(old, [3, 100, '777', 2000, '1'])).toBe(next);
  });

  test.each([
    [{}, [3, 0, 'a']],
    ['a', [2, 1, {}]],
    ['abc', [3, 2, 'cd']],
    ['abc', [3, 2, 'c', 0, 'a']],
    [[1], { a: 1 }],
    [[1], [2, 3, { 1: 5 }]],
    [[1], [9, 1]],
    [null, []],
  ])('that does not fit is refused: %j %j', (old, patch) => {
    expect(() => applyPatch(old, patch)).toThrow(/expected a snapshot/);
  });
});
