import fc from 'fast-check';
import { expect, it } from 'vitest';
import { decodeBase64 } from '../../src/core/format/decode-base64.ts';

it('decodes what Node encodes, for every length of the last group', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 40 }), (bytes) => {
      expect([...decodeBase64(Buffer.from(bytes).toString('base64'))]).toEqual([...bytes]);
    }),
  );
});
