/**
 * The schema of every message: for each kind, each field and what it may hold. A message has exactly these fields, as properties
 * of its own. The compiler checks that the table names every field of messages.ts and no other.
 *
 * Checks are plain functions, not a schema library: a result takes 0.3 µs here against some µs, and a peer's flood pays for it.
 */
import {
  accessTokenLengthMax,
  attemptCountMax,
  gatewayCountMax,
  gatewayFrameBytesMax,
  gatewayUrlLengthMax,
  grantLeaseCountMax,
  gridBitsMax,
  gridBitsMin,
  layerCountMax,
  leasesPerSessionMax,
  leaseTokenBytesMax,
  messageDurationMsMax,
  poolThreadsMax,
  reasonLengthMax,
  tileNameCountMax,
} from '../limits.ts';
import type { GatewayMessage, Lease, TileName, WorkerMessage } from './messages.ts';

/** Says whether a value is what a field may hold. */
type Check<Value> = (value: unknown) => value is Value;
type Fields<Thing> = { readonly [Name in keyof Thing]: Check<Thing[Name]> };
type Schemas<Message extends { readonly kind: string }> = {
  readonly [Kind in Message['kind']]: Check<Extract<Message, { readonly kind: Kind }>>;
};

/** Returns whether a decoded value is a message of a worker. */
export function isWorkerMessage(value: unknown): value is WorkerMessage {
  return isMessage(workerSchemas, value);
}

/** Returns whether a decoded value is a message of a gateway. */
export function isGatewayMessage(value: unknown): value is GatewayMessage {
  return isMessage(gatewaySchemas, value);
}

const integer =
  (min: number, max: number): Check<number> =>
  (value): value is number =>
    Number.isInteger(value) && (value as number) >= min && (value as number) <= max;

const number =
  (min: number, max: number): Check<number> =>
  (value): value is number =>
    typeof value === 'number' && value >= min && value <= max;

const matching =
  (pattern: RegExp): Check<string> =>
  (value): value is string =>
    typeof value === 'string' && pattern.test(value);

const bytesUpTo =
  (max: number): Check<Uint8Array> =>
  (value): value is Uint8Array =>
    value instanceof Uint8Array && value.length <= max;

const listOf =
  <Item>(check: Check<Item>, max: number): Check<readonly Item[]> =>
  (value): value is readonly Item[] =>
    Array.isArray(value) && value.length <= max && value.every(check);

const oneOf = <Value extends string>(...values: readonly Value[]): Check<Value> => {
  const all: ReadonlySet<unknown> = new Set(values);
  return (value): value is Value => all.has(value);
};

function object<Thing>(fields: Fields<Thing>): Check<Thing> {
  const entries = Object.entries<Check<unknown>>(fields);
  return (value): value is Thing => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    if (Object.keys(value).length !== entries.length) return false;
    for (const [name, check] of entries)
      if (!Object.hasOwn(value, name) || !check((value as Record<string, unknown>)[name])) return false;
    return true;
  };
}

const flag: Check<boolean> = (value): value is boolean => typeof value === 'boolean';
const name = matching(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/);
const sha256 = matching(/^[0-9a-f]{64}$/);
const accessToken = matching(new RegExp(`^[A-Za-z0-9._~-]{0,${accessTokenLengthMax}}$`));
const url = matching(new RegExp(`^[!-~]{1,${gatewayUrlLengthMax}}$`));
// One line that cannot move a terminal's cursor: no control characters, no line or paragraph separators, no bidirectional overrides.
const reason = matching(new RegExp(`^[^\\p{Cc}\\p{Zl}\\p{Zp}\\p{Bidi_Control}]{0,${reasonLengthMax}}$`, 'u'));
const seed: Check<string> = (value): value is string =>
  typeof value === 'string' && /^(0|[1-9][0-9]{0,19})$/.test(value) && BigInt(value) < 1n << 64n;
const duration = integer(0, messageDurationMsMax);
const whole = integer(0, 2 ** 31 - 1);
const version = integer(1, 255);
const positive = number(0, 2 ** 53);
const array = bytesUpTo(gatewayFrameBytesMax);
const leaseToken = bytesUpTo(leaseTokenBytesMax);
const gateways = listOf(url, gatewayCountMax);

const tileName = { job: name, tile: sha256 };
const tileNames = listOf(object<TileName>(tileName), tileNameCountMax);

const lease: Check<Lease> = object<Lease>({
  ...tileName,
  spec: sha256,
  token: leaseToken,
  attempt: integer(0, attemptCountMax),
  leaseMs: duration,
  sourceLayer: integer(0, layerCountMax),
  pass: whole,
  neurons: array,
  targets: array,
  biasTargets: array,
});

const workerSchemas: Schemas<WorkerMessage> = {
  hello: object({
    kind: oneOf('hello'),
    protocolMin: version,
    protocolMax: version,
    build: sha256,
    runtime: oneOf('node', 'browser'),
    workerId: name,
    sessionId: name,
    threads: integer(1, poolThreadsMax),
    blocksPerSecond: positive,
    token: accessToken,
    holding: tileNames,
  }),
  want: object({ kind: oneOf('want'), slots: integer(0, leasesPerSessionMax) }),
  beat: object({ kind: oneOf('beat'), holding: tileNames, hidden: flag }),
  result: object({
    ...tileName,
    kind: oneOf('result'),
    spec: sha256,
    token: leaseToken,
    attempt: integer(0, attemptCountMax),
    body: array,
    computeMs: number(0, messageDurationMsMax),
  }),
  nack: object({ ...tileName, kind: oneOf('nack'), reason }),
  bye: object({ kind: oneOf('bye'), reason }),
};

const gatewaySchemas: Schemas<GatewayMessage> = {
  welcome: object({
    kind: oneOf('welcome'),
    protocol: version,
    heartbeatMs: integer(1, messageDurationMsMax),
    leaseMs: integer(1, messageDurationMsMax),
    frameBytesMax: integer(1, gatewayFrameBytesMax),
    leaseCountMax: integer(0, leasesPerSessionMax),
    gateways,
  }),
  reject: object({
    kind: oneOf('reject'),
    code: oneOf('version', 'build', 'token', 'banned', 'full'),
    reason,
    retryMs: duration,
  }),
  spec: object({
    kind: oneOf('spec'),
    digest: sha256,
    seed,
    gridBits: integer(gridBitsMin, gridBitsMax),
    sourceLayer: integer(0, layerCountMax),
    rows: whole,
    cols: whole,
    taps: whole,
    channels: whole,
    groupOffsets: array,
    groupColumns: array,
    groupChannels: array,
    groupMultipliers: array,
    hasMultipliers: flag,
    sampleShift: integer(0, 62),
    rule: oneOf('fewest', 'closest'),
    tolerance: positive,
    biasElements: array,
    biasValues: array,
    biasSampleShift: integer(0, 62),
    biasOwnScale: positive,
    biasInterceptScale: number(-(2 ** 53), 2 ** 53),
    biasTolerance: positive,
  }),
  grant: object({ kind: oneOf('grant'), leases: listOf(lease, grantLeaseCountMax) }),
  beat: object({ kind: oneOf('beat'), cancel: tileNames }),
  committed: object({ ...tileName, kind: oneOf('committed'), outcome: oneOf('new', 'duplicate') }),
  refused: object({
    ...tileName,
    kind: oneOf('refused'),
    code: oneOf('malformed', 'spec', 'residual', 'token', 'unknown-tile', 'quota', 'quarantine', 'storage'),
    reason,
    retryMs: duration,
  }),
  slow: object({ kind: oneOf('slow'), retryMs: duration }),
  drain: object({ kind: oneOf('drain'), graceMs: duration, gateways }),
  bye: object({ kind: oneOf('bye'), reason }),
};

function isMessage(schemas: Readonly<Record<string, Check<unknown>>>, value: unknown): boolean {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'kind')) return false;
  const { kind } = value as { readonly kind: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(schemas, kind)) return false;
  return schemas[kind]?.(value) === true;
}
