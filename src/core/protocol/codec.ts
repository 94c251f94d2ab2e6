/**
 * Messages as bytes: one MessagePack map with string keys per frame, no records, no extensions.
 *
 * Reading goes through four gates, cheapest first: the frame's size (1009), the pre-scan of the raw bytes (1007), msgpackr, and
 * the schema (1002). What comes out has exactly the fields of messages.ts and owns its arrays: it holds no part of the frame.
 *
 * A result travels with one field more, `bodyCrc32`, the CRC-32 of its body; one that does not fit is refused with 1008. Nothing else
 * notices a bit that was turned over on the way: of a trusted worker's blocks one in 16 is checked, and a wrong bit may even make
 * another subset within the tolerance. Layers and leases carry digests of their own.
 */
import { addExtension, Packr } from 'msgpackr/index-no-eval';
import { crc32 } from '../format/crc32.ts';
import { gatewayFrameBytesMax, reasonLengthMax, workerFrameBytesMax } from '../limits.ts';
import type { GatewayMessage, WorkerMessage } from './messages.ts';
import { preScan } from './pre-scan.ts';
import { ProtocolError } from './protocol-error.ts';
import { isGatewayMessage, isWorkerMessage } from './schema.ts';

/** What a reader takes from its peer. */
export interface FrameLimits {
  /** Largest frame; see limits.ts for the ones by role. */
  readonly frameBytes: number;
}

const packr = new Packr({
  useRecords: false,
  structuredClone: false,
  mapsAsObjects: true,
  int64AsType: 'number',
  copyBuffers: true,
  variableMapSize: true,
});

// The pre-scan lets no extension through. Should it ever, msgpackr's own (errors, references, sets, typed arrays, …) stay shut.
for (const type of [0x42, 0x62, 0x65, 0x69, 0x70, 0x73, 0x74, 0x78, 0xff]) {
  addExtension({
    type,
    unpack() {
      throw new ProtocolError(1007, `Cannot read a message: extension ${type}, expected none`);
    },
  });
}

/**
 * Returns the bytes of a message, in memory of their own. Lines for people (`reason`) are cut to what the schema allows, whatever
 * an error's message had in it; all else is the caller's to get right.
 */
export function encodeMessage(message: WorkerMessage | GatewayMessage): Uint8Array {
  // msgpackr packs many messages into one buffer: a copy may be transferred, and pins nothing else.
  return new Uint8Array(packr.pack(fieldsToSend(message)));
}

function fieldsToSend(message: WorkerMessage | GatewayMessage): object {
  if (message.kind === 'result') return { ...message, bodyCrc32: crc32(message.body) };
  return 'reason' in message ? { ...message, reason: onePlainLine(message.reason) } : message;
}

/**
 * Returns the worker's message that a frame holds.
 * @throws ProtocolError when it holds none.
 */
export function decodeWorkerMessage(
  bytes: Uint8Array,
  limits: FrameLimits = { frameBytes: workerFrameBytesMax },
): WorkerMessage {
  const value = checkedBody(decodeValue(bytes, limits));
  if (!isWorkerMessage(value)) throw notAMessage('worker', value);
  return value;
}

/**
 * Returns the gateway's message that a frame holds.
 * @throws ProtocolError when it holds none.
 */
export function decodeGatewayMessage(
  bytes: Uint8Array,
  limits: FrameLimits = { frameBytes: gatewayFrameBytesMax },
): GatewayMessage {
  const value = decodeValue(bytes, limits);
  if (!isGatewayMessage(value)) throw notAMessage('gateway', value);
  return value;
}

function decodeValue(bytes: Uint8Array, { frameBytes }: FrameLimits): unknown {
  if (bytes.length > frameBytes)
    throw new ProtocolError(
      1009,
      `Cannot read a frame: ${bytes.length} bytes, expected at most ${frameBytes}`,
    );
  preScan(bytes);
  // A plain view: a slice of Node's Buffer would be a Buffer.
  const plain = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    return packr.unpack(plain);
  } catch (cause) {
    throw new ProtocolError(1007, `Cannot read a message: ${onePlainLine(String(cause))}`);
  }
}

/** Returns a result without the checksum of its body, and anything else as it is: the schema refuses what is not as it should be. */
function checkedBody(value: unknown): unknown {
  if (typeof value !== 'object' || value === null || !Object.hasOwn(value, 'kind')) return value;
  const { bodyCrc32, ...message } = value as Readonly<Record<string, unknown>>;
  const { kind, body } = message;
  if (kind !== 'result' || !(body instanceof Uint8Array)) return value;
  if (typeof bodyCrc32 !== 'number') throw notAMessage('worker', value);
  if (bodyCrc32 !== crc32(body))
    throw new ProtocolError(
      1008,
      `Cannot accept a result: its body has CRC-32 ${crc32(body)}, expected ${bodyCrc32}`,
    );
  return message;
}

function notAMessage(sender: 'worker' | 'gateway', value: unknown): ProtocolError {
  const kind: unknown =
    typeof value === 'object' && value !== null && Object.hasOwn(value, 'kind')
      ? (value as { readonly kind: unknown }).kind
      : undefined;
  const shown = typeof kind === 'string' && /^[a-z]{1,20}$/.test(kind) ? `"${kind}"` : 'something else';
  return new ProtocolError(
    1002,
    `Cannot accept a message: ${shown}, expected one a ${sender} sends, field by field`,
  );
}

/** Returns the text without what could break a line or move a cursor, at most reasonLengthMax code points long. */
function onePlainLine(text: string): string {
  const plain = text.replace(/[\p{Cc}\p{Cs}\p{Zl}\p{Zp}\p{Bidi_Control}]+/gu, ' ');
  return plain.length <= reasonLengthMax ? plain : Array.from(plain).slice(0, reasonLengthMax).join('');
}
