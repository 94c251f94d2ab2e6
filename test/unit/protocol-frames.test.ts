import { Packr } from 'msgpackr';
import { describe, expect, it } from 'vitest';
import { gatewayFrameBytesMax, workerFrameBytesMax } from '../../src/core/limits.ts';
import { decodeGatewayMessage, decodeWorkerMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import type { WorkerMessage } from '../../src/core/protocol/messages.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';

const plain = new Packr({ useRecords: false });
const tile = 'ab'.repeat(32);
const want = { kind: 'want', slots: 3 };
const result = {
  kind: 'result',
  job: 'job-1',
  tile,
  spec: tile,
  token: new Uint8Array(24),
  attempt: 1,
  body: new Uint8Array(10),
  computeMs: 0.5,
};

/** MessagePack by hand: texts become strings, numbers bytes. */
function raw(...parts: readonly (string | number)[]): Uint8Array {
  return Uint8Array.from(
    parts.flatMap((part) => (typeof part === 'string' ? [0xa0 + part.length, ...Buffer.from(part)] : [part])),
  );
}

function nested(depth: number, open: readonly number[]): Uint8Array {
  return Uint8Array.from([...Array.from({ length: depth }, () => open).flat(), 0xc2]);
}

function closeCode(
  frame: Uint8Array,
  decode: (bytes: Uint8Array) => unknown = decodeWorkerMessage,
): number | undefined {
  try {
    decode(frame);
  } catch (error) {
    if (!(error instanceof ProtocolError)) throw error;
    expect(error.message).toMatch(/^Cannot (read|accept) /);
    expect(error.message).not.toMatch(/\n/);
    return error.closeCode;
  }
  return undefined;
}

describe('a frame that is not MessagePack as we use it is answered with 1007', () => {
  it.each<[string, Uint8Array]>([
    ['nothing', new Uint8Array(0)],
    ['a value and a byte more', Uint8Array.of(...plain.pack(want), 0xc2)],
    ['two messages', Uint8Array.of(...plain.pack(want), ...plain.pack(want))],
    ['0xc1', raw(0x82, 'kind', 'want', 'slots', 0xc1)],
    ['nil', raw(0x82, 'kind', 'want', 'slots', 0xc0)],
    ['fixext 1', raw(0x82, 'kind', 'want', 'slots', 0xd4, 1, 1)],
    ['fixext 16', raw(0x82, 'kind', 'want', 'slots', 0xd8, 1, ...Array(16).fill(0))],
    ['ext 8', raw(0x82, 'kind', 'want', 'slots', 0xc7, 1, 0x42, 5)],
    ['a timestamp', plain.pack({ kind: 'want', slots: new Date(0) })],
    ['a record, as msgpackr defines them', new Packr({ useRecords: true }).pack(want)],
    ['a reference to itself', new Packr({ structuredClone: true }).pack(circular())],
    ['a set', new Packr({ moreTypes: true }).pack({ kind: 'want', slots: new Set([1]) })],
    ['a key that is a number', raw(0x82, 'kind', 'want', 1, 3)],
    ['a key that is an array', raw(0x82, 'kind', 'want', 0x91, 1, 3)],
    ['a key that is a map', raw(0x82, 'kind', 'want', 0x81, 'a', 1, 3)],
    ['a key that ends early', raw(0x82, 'kind', 'want', 0xa5, 0x73)],
    ['a map that ends early', raw(0x83, 'kind', 'want', 'slots', 3)],
    ['a string that is not UTF-8', raw(0x82, 'kind', 0xa2, 0xc3, 0x28, 'slots', 3)],
    ['a surrogate in UTF-8', raw(0x82, 'kind', 0xa3, 0xed, 0xa0, 0x80, 'slots', 3)],
    ['an overlong character', raw(0x82, 'kind', 0xa2, 0xc0, 0x80, 'slots', 3)],
    ['a character beyond Unicode', raw(0x82, 'kind', 0xa4, 0xf4, 0x90, 0x80, 0x80, 'slots', 3)],
    ['a binary that claims 4 GiB', raw(0xc6, 255, 255, 255, 255, 0)],
    ['a string that claims 4 GiB', raw(0xdb, 255, 255, 255, 255, 0)],
    ['a string of 64 KiB and a byte', plain.pack({ kind: 'bye', reason: 'x'.repeat(65537) })],
    ['an array that claims 4 G values', raw(0xdd, 255, 255, 255, 255, 0)],
    ['a map that claims 4 G entries', raw(0xdf, 255, 255, 255, 255, 0)],
    ['an array of 5,000 values', plain.pack({ kind: 'beat', holding: Array(5000).fill(1), hidden: false })],
    ['5,000 values in small arrays', plain.pack(Array(1000).fill([1, 2, 3, 4]))],
    ['17 arrays in each other', nested(17, [0x91])],
    ['17 maps in each other', nested(17, [0x81, 0xa1, 0x61])],
    ['10,000 arrays in each other', nested(10_000, [0x91])],
    ['256 KiB of arrays in each other', nested(262_144, [0x91])],
    ['200,000 maps in each other', nested(200_000, [0x81, 0xa1, 0x61])],
  ])('%s', (_, frame) => {
    expect(closeCode(frame)).toBe(1007);
    expect(closeCode(frame, decodeGatewayMessage)).toBe(1007);
  });

  it('but 16 arrays in each other are only no message', () => {
    expect(closeCode(nested(16, [0x91]))).toBe(1002);
  });
});

describe('MessagePack that is no message is answered with 1002', () => {
  it.each<[string, unknown]>([
    ['a number', 5],
    ['a string', 'want'],
    ['an empty array', []],
    ['an array with a message', [want]],
    ['an empty map', {}],
    ['no kind', { slots: 3 }],
    ['an unknown kind', { kind: 'wants', slots: 3 }],
    ['a kind that objects inherit', { kind: 'constructor', slots: 3 }],
    ['a kind that is prototype', { kind: '__proto__', slots: 3 }],
    ['a kind that is a number', { kind: 1, slots: 3 }],
    ["the other side's kind", { kind: 'slow', retryMs: 3 }],
    ['a field too few', { kind: 'want' }],
    ['a field too many', { ...want, more: 1 }],
    ['constructor as a field', { ...want, constructor: 1 }],
    ['constructor instead of a field', { kind: 'want', constructor: 3 }],
    ['toString instead of a field', { kind: 'want', toString: 3 }],
    ['a number below its range', { kind: 'want', slots: -1 }],
    ['a number above its range', { kind: 'want', slots: 1025 }],
    ['a number with a fraction', { kind: 'want', slots: 1.5 }],
    ['not a number', { kind: 'want', slots: Number.NaN }],
    ['infinity', { kind: 'want', slots: Number.POSITIVE_INFINITY }],
    ['a number of 64 bits', { kind: 'want', slots: 2n ** 63n }],
    ['a number as text', { kind: 'want', slots: '3' }],
    ['an array for a number', { kind: 'want', slots: [3] }],
    ['a list for bytes', { ...result, body: [1, 2, 3] }],
    ['text for bytes', { ...result, body: 'abc' }],
    ['a token too long', { ...result, token: new Uint8Array(65) }],
    ['a tile in upper case', { ...result, tile: tile.toUpperCase() }],
    ['a tile with a line end', { ...result, tile: `${tile.slice(1)}\n` }],
    ['a tile one digit short', { ...result, tile: tile.slice(1) }],
    ['a job that climbs folders', { ...result, job: '../etc' }],
    ['a job without letters', { ...result, job: '' }],
    ['a time that is not a number', { ...result, computeMs: Number.NaN }],
    ['a time before', { ...result, computeMs: -1 }],
    ['a reason of two lines', { kind: 'bye', reason: 'one\ntwo' }],
    ['a reason that colours terminals', { kind: 'bye', reason: '\u001b[31m' }],
    ['a reason that runs backwards', { kind: 'bye', reason: '\u202Egnp' }],
    ['a reason too long', { kind: 'bye', reason: 'x'.repeat(501) }],
    [
      'a name in a list with a field too many',
      { kind: 'beat', holding: [{ job: 'a', tile, more: 1 }], hidden: false },
    ],
    ['a list with a hole', { kind: 'beat', holding: [false], hidden: false }],
    ['a map for a list', { kind: 'beat', holding: { length: 1 }, hidden: false }],
    ['1,025 names', { kind: 'beat', holding: Array(1025).fill({ job: 'a', tile }), hidden: false }],
    ['a flag that is 1', { kind: 'beat', holding: [], hidden: 1 }],
  ])('%s', (_, value) => {
    expect(closeCode(plain.pack(value))).toBe(1002);
  });

  it('__proto__ as a field, whatever it holds', () => {
    expect(closeCode(raw(0x83, 'kind', 'want', 'slots', 3, '__proto__', 0x81, 'slots', 3))).toBe(1002);
    expect(closeCode(raw(0x82, 'kind', 'want', '__proto__', 0x81, 'slots', 3))).toBe(1002);
    expect(closeCode(raw(0x81, '__proto__', 0x82, 'kind', 'want', 'slots', 3))).toBe(1002);
    expect(({} as { slots?: number }).slots).toBeUndefined();
  });
});

describe('a frame too large', () => {
  it('is answered with 1009 before anything looks inside', () => {
    expect(closeCode(new Uint8Array(workerFrameBytesMax + 1))).toBe(1009);
    expect(closeCode(new Uint8Array(gatewayFrameBytesMax + 1), decodeGatewayMessage)).toBe(1009);
  });

  it('is what the limits of the role say, to the byte', () => {
    const frame = encodeMessage(result as WorkerMessage);
    expect(decodeWorkerMessage(frame, { frameBytes: frame.length })).toEqual(result);
    expect(closeCode(frame, (bytes) => decodeWorkerMessage(bytes, { frameBytes: frame.length - 1 }))).toBe(
      1009,
    );
  });
});

describe('what we send', () => {
  it('fits the limits at its largest: 1,024 names, 256 leases', () => {
    const names = Array.from({ length: 1024 }, () => ({ job: 'j'.repeat(64), tile }));
    const beat = { kind: 'beat', holding: names, hidden: false } as const;
    expect(decodeWorkerMessage(encodeMessage(beat))).toEqual(beat);
    const lease = {
      job: 'a',
      tile,
      spec: tile,
      token: new Uint8Array(24),
      attempt: 1,
      leaseMs: 60_000,
      sourceLayer: 2,
      pass: 0,
      neurons: new Uint8Array(16),
      targets: new Uint8Array(40),
      biasTargets: new Uint8Array(8),
    };
    const grant = { kind: 'grant', leases: Array(256).fill(lease) } as const;
    expect(decodeGatewayMessage(encodeMessage(grant))).toEqual(grant);
  });

  it('has one line of text however long, broken or coloured the reason was', () => {
    const message = encodeMessage({ kind: 'bye', reason: `a\r\nb\u001b[31m\ud800${'😀'.repeat(900)}` });
    const decoded = decodeWorkerMessage(message);
    expect(decoded).toEqual({ kind: 'bye', reason: `a b [31m ${'😀'.repeat(491)}` });
  });

  it('is memory of its own, so that it may be transferred', () => {
    const frame = encodeMessage({ kind: 'want', slots: 1 });
    expect(frame.buffer.byteLength).toBe(frame.length);
    expect(Buffer.isBuffer(frame)).toBe(false);
  });
});

function circular(): unknown {
  const value: Record<string, unknown> = { kind: 'want' };
  value.slots = value;
  return value;
}
