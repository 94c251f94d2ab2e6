/** Verification says no, and where: every change of a ticket is judged against a second, independent checker. */
import { beforeAll, describe, expect, it } from 'vitest';
import { TombolaError } from '../../src/core/errors.ts';
import { readSafetensors, writeSafetensors } from '../../src/core/format/safetensors.ts';
import type { Tensor } from '../../src/core/format/tensor.ts';
import { decodeTicket, encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { openFastVerifier } from '../../src/core/verify/fast/fast-verifier.ts';
import { ticketContext } from '../../src/core/verify/layer-context.ts';
import { localCheck, verifyTicket } from '../../src/core/verify/verify-ticket.ts';
import { forgeries, nearForgeries } from '../support/forged-tickets.ts';
import type { Forgery } from '../support/handmade-ticket.ts';
import { IndependentCheck } from '../support/independent-check.ts';
import { mutate, seededNumbers } from '../support/mutants.ts';
import {
  sampleNames,
  sampleOf,
  type TicketSample,
  ticketSamples,
  withLayer,
  withValues,
} from '../support/ticket-samples.ts';

let samples: readonly TicketSample[];
beforeAll(async () => {
  samples = await ticketSamples();
});

async function faultOf(sample: TicketSample, ticket: Ticket): Promise<string | null> {
  return (await verifyTicket(ticket, sample)).fault;
}

/** Bits flipped per ticket; all of them would take a minute. */
const flips = 60;

describe.each(sampleNames)('a ticket of %s', (name) => {
  it('is sound to both checkers', () => {
    const sample = sampleOf(samples, name);
    expect(sample.verdict.fault).toBeNull();
    expect(new IndependentCheck(sample.ticket, sample.network).fault()).toBeNull();
  });

  it('with one mask bit flipped is refused exactly when that row is out of tolerance', async () => {
    const sample = sampleOf(samples, name);
    const next = seededNumbers(1234);
    let accepted = 0;
    for (let flip = 0; flip < flips; flip++) {
      const index = next(sample.ticket.layers.length);
      const { masks, copyRows } = sample.ticket.layers[index] ?? { masks: new Uint8Array(0), copyRows: [] };
      const bit = next(8 * masks.length);
      const byte = bit >> 3;
      const changed = withLayer(sample.ticket, index, () => ({
        masks: withValues(masks, { [byte]: (masks[byte] ?? 0) ^ (1 << (bit & 7)) }),
      }));
      const copy = Math.floor(byte / (masks.length / copyRows.length));
      const row = copyRows[copy];
      const fault = await faultOf(sample, decodeTicket(encodeTicket(changed)).ticket);
      if (fault === null) {
        accepted++;
        expect(new IndependentCheck(changed, sample.network).rowFault(index, copy)).toBeNull();
      } else {
        expect(fault).toMatch(new RegExp(`^source layer ${index + 2}[,:].*row ${row}\\b`));
        if (!fault.includes('no edge'))
          expect(new IndependentCheck(changed, sample.network).rowFault(index, copy)).not.toBeNull();
      }
      if (sample.ticket.mode === 'exact') expect(fault).not.toBeNull();
    }
    expect(accepted).toBeLessThan(flips / 3);
  });

  it('with a bit flipped in the file names the tensor', () => {
    const sample = sampleOf(samples, name);
    const next = seededNumbers(99);
    const dataStart = 8 + new DataView(sample.bytes.buffer, sample.bytes.byteOffset).getUint32(0, true);
    for (let flip = 0; flip < 40; flip++) {
      const byte = dataStart + next(sample.bytes.length - dataStart);
      const bytes = withValues(sample.bytes, { [byte]: (sample.bytes[byte] ?? 0) ^ (1 << next(8)) });
      const { changedTensors, ticket } = decodeTicket(bytes);
      expect(changedTensors).toHaveLength(1);
      const [changed] = changedTensors;
      const fresh = decodeTicket(encodeTicket(ticket));
      expect(fresh.changedTensors).toEqual([]);
      const again = [...decodeTicket(sample.bytes).changedTensors];
      expect(again).toEqual([]);
      expect(changed).toMatch(
        /^source\.\d+\.(inputs|copy_counts|copy_rows|masks|bias_elements|constant_elements)$/,
      );
    }
  });

  it('with any univariate input changed is refused unless both checkers find the ticket sound', async () => {
    const sample = sampleOf(samples, name);
    const { inputs } = sample.ticket.univariate;
    const channels =
      (sample.ticket.source.layers[0]?.cols ?? 0) - (sample.ticket.univariate.extendedInput ? 1 : 0);
    const next = seededNumbers(5);
    for (let change = 0; change < 60; change++) {
      const row = next(inputs.length);
      const input = next(channels + 3) - 1;
      if (input === inputs[row]) continue;
      const univariate = { ...sample.ticket.univariate, inputs: withValues(inputs, { [row]: input }) };
      const ticket = { ...sample.ticket, univariate };
      const fault = await faultOf(sample, ticket);
      if (fault === null) expect(new IndependentCheck(ticket, sample.network).fault()).toBeNull();
      else expect(fault).toMatch(/^source layer [12]\b/);
    }
  });
});

/** What the readable verifier, the fast one and the independent checker say. */
async function faultsOf({
  ticket,
  network,
  sha256,
}: Omit<Forgery, 'name' | 'fault'>): Promise<(string | null)[]> {
  const target = { network, sha256 };
  const fast = localCheck(ticketContext(ticket, network), openFastVerifier());
  return [
    (await verifyTicket(ticket, target)).fault,
    (await verifyTicket(ticket, target, fast)).fault,
    new IndependentCheck(ticket, network).fault(),
  ];
}

describe('a ticket by hand', () => {
  it.each(forgeries().map((forged) => [forged.name, forged] as const))(
    'is refused: %s',
    async (_, forged) => {
      const [readable, fast, independent] = await faultsOf(forged);
      expect(readable).toMatch(forged.fault);
      expect(fast).toBe(readable);
      expect(independent).not.toBeNull();
    },
  );

  it.each(nearForgeries().map((near) => [near.name, near] as const))('is accepted: %s', async (_, near) => {
    expect(await faultsOf(near)).toEqual([null, null, null]);
  });
});

describe('an exact ticket', () => {
  it.each(['exact dense', 'exact convolution'])(
    'of %s is refused with a quantum next to the one that the target has, though all else fits it',
    async (name) => {
      const { ticket, network, sha256 } = sampleOf(samples, name);
      for (const factor of [1 + 1e-9, 1 - 1e-9, 1 + 1e-11])
        for (const index of ticket.layers.keys()) {
          const gains = ticket.source.layers.map((layer, k) =>
            k === index + 1 ? { ...layer, gain: layer.gain * factor } : layer,
          );
          const changed = withLayer(
            { ...ticket, source: { ...ticket.source, layers: gains } },
            index,
            ({ weightQuantum, biasQuantum }) => ({
              weightQuantum: weightQuantum * factor,
              biasQuantum: biasQuantum * factor,
            }),
          );
          const [readable, fast, independent] = await faultsOf({ ticket: changed, network, sha256 });
          expect(readable).toMatch(new RegExp(`^source layer ${index + 2}: the quantum is`));
          expect(fast).toBe(readable);
          expect(independent).not.toBeNull();
        }
    },
  );
});

/** Everything of a ticket but the claims that may be loosened or tightened without making it unsound. */
function essence({ epsilon: _e, inputRange: _i, rule: _r, layers, source, ...rest }: Ticket): unknown {
  return {
    ...rest,
    source: { ...source, layers: source.layers.map(({ gain: _g, biasGain: _b, ...shape }) => shape) },
    layers: layers.map(({ biasTolerance: _t, biasQuantum: _bq, ...layer }) => layer),
  };
}

describe('a damaged ticket file', () => {
  it.each(sampleNames)(
    'of %s gets a verdict or a TombolaError, and never passes with other content',
    async (name) => {
      const sample = sampleOf(samples, name);
      const next = seededNumbers(20261122);
      const header = new DataView(sample.bytes.buffer, sample.bytes.byteOffset).getUint32(0, true);
      let refused = 0;
      for (let index = 0; index < 250; index++) {
        const mutant = mutate(sample.bytes, next, index % 3 === 0 ? sample.bytes.length : header);
        const verdict = await verdictOf(sample, mutant).catch((error: unknown) => {
          throw new Error(`mutant ${index} of ${name}`, { cause: error });
        });
        if (verdict === 'refused') refused++;
      }
      expect(refused).toBeGreaterThan(100);
    },
  );
});

describe('a ticket file', () => {
  it('with a tensor missing, of another type or shape, or one too many is not read, and the tensor is named', () => {
    const { tensors, metadata } = readSafetensors(sampleOf(samples, 'padded convolution').bytes);
    const reading = (name: string, tensor: Tensor | undefined): (() => unknown) => {
      const changed = new Map(tensors);
      if (tensor === undefined) changed.delete(name);
      else changed.set(name, tensor);
      return () => decodeTicket(writeSafetensors(changed, metadata));
    };
    for (const [name, tensor] of tensors) {
      const named = `Cannot read the ticket: tensor ${name} is`;
      const { dtype, shape, data } = tensor;
      expect(reading(name, tensor)).not.toThrow();
      expect(reading(name, undefined)).toThrow(`${named} missing, expected ${dtype} [`);
      for (const other of [
        { dtype: dtype === 'U8' ? 'I8' : 'F32', shape, data },
        { dtype: 'U8', shape: [data.length], data },
        { dtype, shape: [1, ...shape], data },
        { dtype, shape: [...shape, 1], data },
      ] as const)
        expect(reading(name, other)).toThrow(`${named} ${other.dtype} [${other.shape.join(', ')}], expected`);
      if (dtype === 'U8')
        for (const turned of [[...shape].reverse(), [1, data.length], [data.length, 1]])
          expect(reading(name, { dtype, shape: turned, data })).toThrow(`${named} U8 [${turned.join(', ')}]`);
    }
    const stray: Tensor = { dtype: 'U8', shape: [0], data: new Uint8Array(0) };
    for (const name of ['source.0.masks', 'source.9.masks', 'source.3.inputs', 'weights'])
      expect(reading(name, stray)).toThrow(`Cannot read the ticket: it has a tensor ${name}, expected`);
  });
});

/** Numbers that break careless arithmetic: allocations, products, comparisons. */
const extremes = ['0', '-1', '0.5', '1', '2', '4294967296', '9007199254740991', '1e308', '5e-324', '1e-30'];

describe('a ticket file with one number of its metadata set to an extreme', () => {
  it.each(['dense ReLU', 'exact dense', 'zero biases with intercepts'])(
    'of %s gets a verdict or a TombolaError, and passes only if it is sound',
    async (name) => {
      const sample = sampleOf(samples, name);
      const file = readSafetensors(sample.bytes);
      const text = file.metadata.get('tombola') ?? '';
      let refused = 0;
      for (const { index, 0: number } of text.matchAll(/(?<=[:[,])-?\d[\d.e-]*(?=[,}\]])/g))
        for (const extreme of extremes) {
          const changed = text.slice(0, index) + extreme + text.slice(index + number.length);
          const verdict = await verdictOf(
            sample,
            writeSafetensors(file.tensors, new Map([['tombola', changed]])),
          ).catch((error: unknown) => {
            throw new Error(`…${text.slice(index - 30, index)}${extreme} in place of ${number}`, {
              cause: error,
            });
          });
          if (verdict === 'refused') refused++;
        }
      expect(refused).toBeGreaterThan(150);
    },
  );
});

async function verdictOf(sample: TicketSample, bytes: Uint8Array): Promise<'refused' | 'sound'> {
  try {
    const { ticket, changedTensors } = decodeTicket(bytes);
    const fault = await faultOf(sample, ticket);
    if (fault !== null || changedTensors.length > 0) return 'refused';
    expect(essence(ticket)).toEqual(essence(sample.ticket));
    expect(new IndependentCheck(ticket, sample.network).fault()).toBeNull();
    return 'sound';
  } catch (error) {
    if (error instanceof TombolaError) return 'refused';
    throw error;
  }
}
