import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readSafetensors, writeSafetensors } from '../../src/core/format/safetensors.ts';
import { type Dtype, dtypeBytes, isDtype, type Tensor } from '../../src/core/format/tensor.ts';

const dtypes: readonly Dtype[] = Object.keys(dtypeBytes).filter(isDtype);
const tensorArbitrary = fc
  .tuple(fc.constantFrom(...dtypes), fc.array(fc.nat(3), { maxLength: 4 }), fc.nat(255))
  .map(([dtype, shape, fill]): Tensor => {
    const count = shape.reduce((product, size) => product * size, 1);
    return { dtype, shape, data: new Uint8Array(count * dtypeBytes[dtype]).fill(fill) };
  });
const name = fc.string({ unit: 'grapheme' }).filter((text) => text !== '__metadata__');

describe('safetensors', () => {
  it('reads back any tensors under any names, each aligned, and writes the same bytes again', () => {
    fc.assert(
      fc.property(
        fc.uniqueArray(fc.tuple(name, tensorArbitrary), { selector: ([key]) => key }),
        fc.dictionary(name, name),
        (entries, texts) => {
          const bytes = writeSafetensors(new Map(entries), new Map(Object.entries(texts)));
          const found = readSafetensors(bytes);
          expect([...found.metadata]).toEqual(Object.entries(texts));
          expect(
            [...found.tensors].map(([key, { shape, dtype, data }]) => [key, dtype, shape, [...data]]),
          ).toEqual(entries.map(([key, { shape, dtype, data }]) => [key, dtype, shape, [...data]]));
          for (const { dtype, data } of found.tensors.values())
            expect(data.byteOffset % dtypeBytes[dtype]).toBe(0);
          expect(writeSafetensors(found.tensors, found.metadata)).toEqual(bytes);
        },
      ),
      { numRuns: 300, seed: 7 },
    );
  });
});
