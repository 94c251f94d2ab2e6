/**
 * Draws the example's data set: grey digits of 12 × 12 pixels, each with a size, width, slant, place, pen, brightness and
 * noise of its own. Plain arithmetic and Philox only, so every machine draws the same bytes.
 */
import { PhiloxStream } from '../../core/random/philox.ts';

/** Height and width of an image in pixels. */
export const digitImageSize = 12;

/** Images with their labels. */
export interface DrawnDigits {
  /** Shape [count, 12, 12], 0 black … 255 white. */
  readonly images: Uint8Array;
  /** Shape [count], 0 … 9: image i shows i mod 10. */
  readonly labels: Uint8Array;
}

/** A quadratic Bézier curve [x0, y0, x1, y1, x2, y2] in the unit square, y downwards. */
type Curve = readonly [number, number, number, number, number, number];
/** Points [x, y, x, y, …] of one connected line. */
type Line = readonly number[];

/** Returns `count` digits, a function of the stream (with a fixed seed) alone. */
export function drawDigits(count: number, stream: number): DrawnDigits {
  const random = uniformNumbers(stream);
  const images = new Uint8Array(count * digitImageSize ** 2);
  const labels = Uint8Array.from({ length: count }, (_, i) => i % 10);
  labels.forEach((label, i) => {
    drawDigit(images.subarray(i * digitImageSize ** 2, (i + 1) * digitImageSize ** 2), label, random);
  });
  return { images, labels };
}

/** Returns a function that gives the stream's numbers one after the other, uniform on [low, high). */
export function uniformNumbers(stream: number): (low: number, high: number) => number {
  const philox = new PhiloxStream(0x70b01an, stream);
  let position = 0;
  return (low, high) => low + (high - low) * ((philox.at(position++) >>> 0) / 2 ** 32);
}

function drawDigit(image: Uint8Array, label: number, random: (low: number, high: number) => number): void {
  const lines = transformed(glyphs[label] ?? [], {
    height: random(7.5, 10),
    width: random(4.5, 7.5),
    slant: random(-0.3, 0.3),
    centreX: digitImageSize / 2 + random(-1.2, 1.2),
    centreY: digitImageSize / 2 + random(-0.9, 0.9),
  });
  const penRadius = random(0.45, 0.95);
  const brightness = random(170, 255);
  for (let pixel = 0; pixel < image.length; pixel++) {
    const x = (pixel % digitImageSize) + 0.5;
    const y = Math.floor(pixel / digitImageSize) + 0.5;
    const ink = Math.min(1, Math.max(0, penRadius + 0.5 - distanceToLines(lines, x, y)));
    image[pixel] = Math.min(255, Math.max(0, Math.floor(ink * brightness + random(-90, 45))));
  }
}

interface Placement {
  readonly height: number;
  readonly width: number;
  readonly slant: number;
  readonly centreX: number;
  readonly centreY: number;
}

function transformed(lines: readonly Line[], place: Placement): Line[] {
  return lines.map((line) =>
    line.map((value, i) => {
      const y = (i % 2 === 0 ? (line[i + 1] ?? 0) : value) - 0.5;
      const x = value - 0.5;
      return i % 2 === 0
        ? place.centreX + place.width * x - place.slant * place.height * y
        : place.centreY + place.height * y;
    }),
  );
}

function distanceToLines(lines: readonly Line[], x: number, y: number): number {
  let nearest = Number.POSITIVE_INFINITY;
  for (const line of lines)
    for (let i = 0; i + 3 < line.length; i += 2) {
      const [fromX = 0, fromY = 0, toX = 0, toY = 0] = line.slice(i, i + 4);
      const alongX = toX - fromX;
      const alongY = toY - fromY;
      const share = ((x - fromX) * alongX + (y - fromY) * alongY) / (alongX * alongX + alongY * alongY);
      const clamped = Math.min(1, Math.max(0, share));
      const offX = x - fromX - clamped * alongX;
      const offY = y - fromY - clamped * alongY;
      nearest = Math.min(nearest, offX * offX + offY * offY);
    }
  return Math.sqrt(nearest);
}

/** Returns nine points of a curve. */
function bend([x0, y0, x1, y1, x2, y2]: Curve): Line {
  return Array.from({ length: 9 }, (_, i) => i / 8).flatMap((t) => [
    (1 - t) * (1 - t) * x0 + 2 * t * (1 - t) * x1 + t * t * x2,
    (1 - t) * (1 - t) * y0 + 2 * t * (1 - t) * y1 + t * t * y2,
  ]);
}

/** Returns a round shape that fills a box, as four curves. */
function ring(left: number, top: number, right: number, bottom: number): Line[] {
  const x = (left + right) / 2;
  const y = (top + bottom) / 2;
  return [
    bend([x, top, right, top, right, y]),
    bend([right, y, right, bottom, x, bottom]),
    bend([x, bottom, left, bottom, left, y]),
    bend([left, y, left, top, x, top]),
  ];
}

const glyphs: readonly (readonly Line[])[] = [
  ring(0.12, 0.03, 0.88, 0.97),
  [[0.25, 0.28, 0.55, 0.04, 0.55, 0.96]],
  [
    bend([0.14, 0.3, 0.18, 0.02, 0.5, 0.04]),
    bend([0.5, 0.04, 0.9, 0.06, 0.8, 0.4]),
    bend([0.8, 0.4, 0.7, 0.6, 0.12, 0.95]),
    [0.12, 0.95, 0.9, 0.95],
  ],
  [
    bend([0.15, 0.12, 0.85, -0.1, 0.8, 0.27]),
    bend([0.8, 0.27, 0.75, 0.47, 0.38, 0.47]),
    bend([0.38, 0.47, 0.95, 0.5, 0.86, 0.75]),
    bend([0.86, 0.75, 0.7, 1.1, 0.12, 0.88]),
  ],
  [[0.66, 0.96, 0.66, 0.04, 0.08, 0.66, 0.95, 0.66]],
  [
    [0.84, 0.05, 0.24, 0.05, 0.2, 0.45],
    bend([0.2, 0.45, 0.92, 0.3, 0.86, 0.7]),
    bend([0.86, 0.7, 0.75, 1.06, 0.12, 0.88]),
  ],
  [bend([0.75, 0.04, 0.1, 0.2, 0.14, 0.7]), ...ring(0.14, 0.46, 0.86, 0.97)],
  [[0.1, 0.05, 0.9, 0.05, 0.4, 0.96]],
  [...ring(0.2, 0.04, 0.8, 0.46), ...ring(0.12, 0.46, 0.88, 0.97)],
  [...ring(0.14, 0.03, 0.86, 0.54), bend([0.86, 0.28, 0.88, 0.75, 0.45, 0.97])],
];
