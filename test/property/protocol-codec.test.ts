import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeGatewayMessage, decodeWorkerMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import type { GatewayMessage, WorkerMessage } from '../../src/core/protocol/messages.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import { gatewayMessages, workerMessages } from '../support/messages.ts';
import { mutate, seededNumbers } from '../support/mutants.ts';

const mutantCount = 100_000;

describe('a message', () => {
  it('of a worker comes back as it was', () => {
    fc.assert(
      fc.property(workerMessages, (message) => {
        expect(decodeWorkerMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });

  it('of a gateway comes back as it was', () => {
    fc.assert(
      fc.property(gatewayMessages, (message) => {
        expect(decodeGatewayMessage(encodeMessage(message))).toEqual(message);
      }),
      { numRuns: 500 },
    );
  });

  it('is read from any place in a buffer, into memory of its own', () => {
    fc.assert(
      fc.property(workerMessages, (message) => {
        const bytes = encodeMessage(message);
        const frame = Buffer.alloc(bytes.length + 9, 255);
        frame.set(bytes, 4);
        const decoded = decodeWorkerMessage(frame.subarray(4, 4 + bytes.length));
        frame.fill(0);
        expect(decoded).toEqual(message);
        for (const value of Object.values(decoded))
          if (value instanceof Uint8Array) {
            expect(Object.getPrototypeOf(value)).toBe(Uint8Array.prototype);
            expect(value.buffer.byteLength).toBe(value.length);
          }
      }),
    );
  });

  it('that one side sends is refused by the same side', () => {
    const either = new Set(['beat', 'bye']);
    fc.assert(
      fc.property(workerMessages, gatewayMessages, (fromWorker, fromGateway) => {
        if (!either.has(fromWorker.kind))
          expect(() => decodeGatewayMessage(encodeMessage(fromWorker))).toThrow(ProtocolError);
        if (!either.has(fromGateway.kind))
          expect(() => decodeWorkerMessage(encodeMessage(fromGateway))).toThrow(ProtocolError);
      }),
    );
  });

  it('cut anywhere is refused', () => {
    fc.assert(
      fc.property(workerMessages, fc.nat(), (message, place) => {
        const bytes = encodeMessage(message);
        expect(() => decodeWorkerMessage(bytes.subarray(0, place % bytes.length))).toThrow(ProtocolError);
      }),
    );
  });
});

describe('damage and malice', () => {
  it(`leave every one of ${2 * mutantCount} mutants a message or a ProtocolError, and Object.prototype as it was`, () => {
    const fromWorker = fuzz(fc.sample(workerMessages, { numRuns: 50, seed: 11 }), decodeWorkerMessage);
    const fromGateway = fuzz(fc.sample(gatewayMessages, { numRuns: 50, seed: 12 }), decodeGatewayMessage);
    expect(Object.keys(Object.prototype)).toEqual([]);
    // Both happen often, or the mutants are too wild or too tame to say anything.
    for (const refused of [fromWorker, fromGateway]) {
      expect(refused).toBeGreaterThan(mutantCount / 4);
      expect(refused).toBeLessThan(mutantCount * 0.99);
    }
  });

  it('in bytes of any kind are refused', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        expect(() => decodeWorkerMessage(bytes)).toThrow(ProtocolError);
      }),
      { numRuns: 2000 },
    );
  });
});

function fuzz(
  messages: readonly (WorkerMessage | GatewayMessage)[],
  decode: (bytes: Uint8Array) => unknown,
): number {
  const next = seededNumbers(31);
  const frames = messages.map(encodeMessage);
  let refused = 0;
  for (let index = 0; index < mutantCount; index++) {
    const mutant = mutate(frames[index % frames.length] ?? new Uint8Array(0), next);
    try {
      decode(mutant);
    } catch (error) {
      if (!(error instanceof ProtocolError))
        expect.fail(`mutant ${index} throws ${String(error)}: ${Buffer.from(mutant).toString('base64')}`);
      refused++;
    }
  }
  return refused;
}
