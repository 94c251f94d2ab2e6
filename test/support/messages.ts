/** Messages of every kind, as the schema lets them through. */
import fc from 'fast-check';
import type { GatewayMessage, Lease, TileName, WorkerMessage } from '../../src/core/protocol/messages.ts';

const hex = fc.stringMatching(/^[0-9a-f]{64}$/);
const name = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
const bytes = (maxLength: number) => fc.uint8Array({ maxLength }).map((array) => Uint8Array.from(array));
const duration = fc.integer({ min: 0, max: 30 * 24 * 3600 * 1000 });
const positive = fc.double({ min: 0, max: 2 ** 53, noNaN: true }).map((value) => value + 0);
const whole = fc.nat(2 ** 31 - 1);
const reason = fc
  .string({ unit: 'grapheme', maxLength: 100 })
  .map((text) => text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, ''));
const url = fc.stringMatching(/^wss?:\/\/[a-z0-9.:]{1,40}$/);
const urls = fc.array(url, { maxLength: 16 });
const named = { job: name, tile: hex };
const tileNames: fc.Arbitrary<TileName[]> = fc.array(fc.record(named), { maxLength: 20 });

const lease: fc.Arbitrary<Lease> = fc.record({
  ...named,
  spec: hex,
  token: bytes(64),
  attempt: fc.nat(2 ** 20),
  leaseMs: duration,
  sourceLayer: fc.integer({ min: 0, max: 1024 }),
  pass: whole,
  neurons: bytes(64),
  targets: bytes(300),
  biasTargets: bytes(64),
});

/** Whatever a worker may send. */
export const workerMessages: fc.Arbitrary<WorkerMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('hello' as const),
    protocolMin: fc.integer({ min: 1, max: 255 }),
    protocolMax: fc.integer({ min: 1, max: 255 }),
    build: hex,
    runtime: fc.constantFrom('node' as const, 'browser' as const),
    workerId: name,
    sessionId: name,
    threads: fc.integer({ min: 1, max: 1024 }),
    blocksPerSecond: positive,
    token: fc.stringMatching(/^[A-Za-z0-9._~-]{0,100}$/),
    holding: tileNames,
  }),
  fc.record({ kind: fc.constant('want' as const), slots: fc.nat(1024) }),
  fc.record({ kind: fc.constant('beat' as const), holding: tileNames, hidden: fc.boolean() }),
  fc.record({
    kind: fc.constant('result' as const),
    ...named,
    spec: hex,
    token: bytes(64),
    attempt: fc.nat(2 ** 20),
    body: bytes(2000),
    computeMs: fc.double({ min: 0, max: 1e9, noNaN: true }).map((value) => value + 0),
  }),
  fc.record({ kind: fc.constant('nack' as const), ...named, reason }),
  fc.record({ kind: fc.constant('bye' as const), reason }),
);

/** Whatever a gateway may send. */
export const gatewayMessages: fc.Arbitrary<GatewayMessage> = fc.oneof(
  fc.record({
    kind: fc.constant('welcome' as const),
    protocol: fc.integer({ min: 1, max: 255 }),
    heartbeatMs: fc.integer({ min: 1, max: 60_000 }),
    leaseMs: fc.integer({ min: 1, max: 600_000 }),
    frameBytesMax: fc.integer({ min: 1, max: 2 ** 26 }),
    leaseCountMax: fc.nat(1024),
    gateways: urls,
  }),
  fc.record({
    kind: fc.constant('reject' as const),
    code: fc.constantFrom('version' as const, 'build', 'token', 'banned', 'full'),
    reason,
    retryMs: duration,
  }),
  fc.record({
    kind: fc.constant('spec' as const),
    digest: hex,
    seed: fc.bigInt(0n, 2n ** 64n - 1n).map(String),
    gridBits: fc.integer({ min: 2, max: 24 }),
    sourceLayer: fc.nat(1024),
    rows: whole,
    cols: whole,
    taps: whole,
    channels: whole,
    groupOffsets: bytes(40),
    groupColumns: bytes(400),
    groupChannels: bytes(40),
    groupMultipliers: bytes(400),
    hasMultipliers: fc.boolean(),
    sampleShift: fc.nat(62),
    rule: fc.constantFrom('fewest' as const, 'closest' as const),
    tolerance: positive,
    biasElements: bytes(40),
    biasValues: bytes(40),
    biasSampleShift: fc.nat(62),
    biasOwnScale: positive,
    biasInterceptScale: positive.map((value) => 0 - value),
    biasTolerance: positive,
  }),
  fc.record({ kind: fc.constant('grant' as const), leases: fc.array(lease, { maxLength: 5 }) }),
  fc.record({ kind: fc.constant('beat' as const), cancel: tileNames }),
  fc.record({
    kind: fc.constant('committed' as const),
    ...named,
    outcome: fc.constantFrom('new' as const, 'duplicate' as const),
  }),
  fc.record({
    kind: fc.constant('refused' as const),
    ...named,
    code: fc.constantFrom(
      'malformed' as const,
      'spec',
      'residual',
      'token',
      'unknown-tile',
      'quota',
      'storage',
    ),
    reason,
    retryMs: duration,
  }),
  fc.record({ kind: fc.constant('slow' as const), retryMs: duration }),
  fc.record({ kind: fc.constant('drain' as const), graceMs: duration, gateways: urls }),
  fc.record({ kind: fc.constant('bye' as const), reason }),
);
