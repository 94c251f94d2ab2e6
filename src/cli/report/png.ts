/**
 * An image as a PNG (RFC 2083), 8 bits a channel, grey or colour, in a `data:` address.
 */
import { deflateSync } from 'node:zlib';
import { crc32 } from '../../core/format/crc32.ts';

/** Returns the address of an input of shape [1 or 3, height, width], or of a square flat one; null for any other. Its smallest value is black, its largest white. */
export function imageAddress(input: Float32Array, shape: readonly number[]): string | null {
  const size = imageSize(shape);
  if (size === null) return null;
  const [channels, height, width] = size;
  const low = input.reduce((min, value) => Math.min(min, value), Number.POSITIVE_INFINITY);
  const high = input.reduce((max, value) => Math.max(max, value), Number.NEGATIVE_INFINITY);
  const lines = Buffer.alloc(height * (1 + width * channels));
  for (let y = 0; y < height; y++)
    for (let x = 0; x < width; x++)
      for (let channel = 0; channel < channels; channel++) {
        const value = input[(channel * height + y) * width + x] ?? 0;
        const level = high > low ? (255 * (value - low)) / (high - low) : 0;
        lines[y * (1 + width * channels) + 1 + x * channels + channel] = Math.round(level);
      }
  const header = Buffer.alloc(13);
  header.writeUInt32BE(width, 0);
  header.writeUInt32BE(height, 4);
  header.set([8, channels === 3 ? 2 : 0, 0, 0, 0], 8);
  const bytes = Buffer.concat([
    Buffer.from([0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a]),
    chunk('IHDR', header),
    chunk('IDAT', deflateSync(lines)),
    chunk('IEND', Buffer.alloc(0)),
  ]);
  return `data:image/png;base64,${bytes.toString('base64')}`;
}

/** [channels, height, width], or null where the shape is none of an image. */
function imageSize(shape: readonly number[]): readonly [1 | 3, number, number] | null {
  const [first = 0, height = 0, width = 0] = shape;
  if (shape.length === 3) return first === 1 || first === 3 ? [first, height, width] : null;
  const side = Math.round(Math.sqrt(first));
  return shape.length === 1 && side >= 4 && side * side === first ? [1, side, side] : null;
}

function chunk(type: string, data: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(type), data]);
  const whole = Buffer.alloc(body.length + 8);
  whole.writeUInt32BE(data.length, 0);
  whole.set(body, 4);
  whole.writeUInt32BE(crc32(body), body.length + 4);
  return whole;
}
