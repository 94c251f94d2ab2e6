/** Tickets that no search makes, written by hand to pass a careless verifier; and the honest ones that differ from them by a hair. */
import {
  denseLayer,
  emptyLayer,
  type Forgery,
  forgery,
  networkOf,
  ones,
  readerOf,
  sourceOf,
} from './handmade-ticket.ts';

/** No edge at all: an exact ticket that quantises its target away. */
export function emptyTicket(quantum: number): Forgery {
  const sines = (count: number): number[] => Array.from({ length: count }, (_, k) => 0.49 * Math.sin(k + 1));
  const network = networkOf(
    denseLayer(
      sines(24),
      sines(4).map((bias) => bias / 2.1),
      { kind: 'relu' },
    ),
    denseLayer(
      sines(12),
      sines(3).map((bias) => bias / 2.1),
    ),
  );
  const claims = { weightQuantum: quantum, biasQuantum: quantum / 2 };
  const shapes = [
    [1, 6],
    [1, 1],
    [3, 1],
  ] as const;
  const source = sourceOf(shapes, 8, 128 * quantum);
  const univariate = {
    inputs: Int32Array.of(-1),
    constantRows: 0,
    extendedInput: false,
    signGroups: 'positive',
  } as const;
  return forgery(`an empty ticket with a quantum of ${quantum}`, network, /^source layer 2: the quantum is/, {
    mode: 'exact',
    epsilon: 0,
    source: {
      ...source,
      layers: source.layers.with(0, { rows: 1, cols: 6, taps: 1, gain: 128, biasGain: 1 }),
    },
    univariate,
    layers: [
      { ...emptyLayer, ...claims, copyCounts: new Int32Array(4) },
      { ...emptyLayer, ...claims, copyCounts: Int32Array.of(1, 1, 1), copyRows: Int32Array.of(0, 1, 2) },
    ],
  });
}

/** One weight, or none but a bias, that `size` samples sum to as float64 adds them up; `isKept` thins them out. */
function blockTicket(
  name: string,
  size: number,
  { epsilon, isKept = () => true }: { epsilon: number; isKept?: (sample: number, sum: number) => boolean },
): Forgery {
  const source = sourceOf(
    [
      [size, 1],
      [1, size],
    ],
    24,
    2 ** 23,
  );
  const [first, second] = [readerOf(source, 0), readerOf(source, 1)];
  const masks = ones(size);
  let sum = 0;
  for (let row = 0; row < size; row++) {
    const sample = first.weight(row, 0) * second.weight(0, row);
    if (isKept(sample, sum)) sum += sample;
    else masks[row >> 3] = (masks[row >> 3] ?? 0) & ~(1 << (row & 7));
  }
  return forgery(
    name,
    networkOf(denseLayer([sum], [0])),
    /^source layer 2: a block of \d+ samples, expected at most 40/,
    {
      epsilon,
      source,
      univariate: { inputs: new Int32Array(size), constantRows: 0, extendedInput: false, signGroups: 'any' },
      layers: [{ ...emptyLayer, copyCounts: Int32Array.of(1), copyRows: Int32Array.of(0), masks }],
    },
  );
}

/** Behind a univariate layer, a block whose samples are all kept. */
export function univariateBlock(size: number): Forgery {
  return blockTicket(`a univariate block of ${size} samples`, size, { epsilon: 1e-9 });
}

/** A block so long that float64 loses bits of its sum: upwards to 2^57, and down again to a few samples. */
export function overflowingBlock(): Forgery {
  const size = 30_000;
  let seen = 0;
  return blockTicket('a block whose sum rounds', size, {
    epsilon: 1e-12,
    isKept: (sample, sum) => {
      const isUp = seen++ < size / 2;
      return isUp ? sample > 0 : Math.abs(sum + sample) < Math.abs(sum);
    },
  });
}

/** Behind copies, all of them of a neuron that gives 0: a block whose samples are all kept. */
export function deeperBlock(size: number): Forgery {
  const source = sourceOf(
    [
      [1, 1],
      [size, 1],
      [1, size],
    ],
    24,
    2 ** 23,
  );
  const reader = readerOf(source, 2);
  let sum = 0;
  for (let column = 0; column < size; column++) sum += reader.weight(0, column);
  const network = networkOf(denseLayer([0], [0], { kind: 'relu' }), denseLayer([sum], [0]));
  const copyRows = Int32Array.from({ length: size }, (_, row) => row);
  return forgery(
    `a block of ${size} copies`,
    network,
    /^source layer 3: a block of \d+ samples, expected at most 40/,
    {
      source,
      univariate: { inputs: Int32Array.of(-1), constantRows: 0, extendedInput: false, signGroups: 'both' },
      layers: [
        { ...emptyLayer, copyCounts: Int32Array.of(size), copyRows },
        { ...emptyLayer, copyCounts: Int32Array.of(1), copyRows: Int32Array.of(0), masks: ones(size) },
      ],
    },
  );
}

/** A bias alone, from `size` constants; `twice` reads the first of them once more. */
export function biasBlock(size: number, twice = false): Forgery {
  const rows = 2 * size + 8;
  const source = sourceOf(
    [
      [rows, 1],
      [1, rows],
    ],
    24,
    1,
  );
  const [first, second] = [readerOf(source, 0), readerOf(source, 1)];
  const useful = Array.from({ length: rows }, (_, row) => row)
    .filter((row) => Math.abs(first.bias(row)) > 2 ** 21)
    .slice(0, size);
  const elements = twice ? [...useful, useful[0] ?? 0] : useful;
  const bias = elements.reduce(
    (sum, row) => sum + (first.bias(row) / 2 ** 23) * (second.weight(0, row) / 2 ** 23),
    0,
  );
  const fault = twice
    ? /^source layer 2: the bias block reads an edge twice/
    : /^source layer 2: a bias block of \d+ edges, expected at most 4096/;
  return forgery(
    twice ? 'a constant read twice' : `a bias block of ${size} constants`,
    networkOf(denseLayer([0], [bias])),
    fault,
    {
      source,
      univariate: {
        inputs: new Int32Array(rows).fill(-1),
        constantRows: rows,
        extendedInput: false,
        signGroups: 'any',
      },
      layers: [
        {
          ...emptyLayer,
          copyCounts: Int32Array.of(1),
          copyRows: Int32Array.of(0),
          masks: ones(elements.length),
          biasElements: Int32Array.from(elements),
          biasTolerance: 0.01 * Math.abs(bias),
        },
      ],
    },
  );
}

/** A univariate weight above 0 that is to serve inputs on either side of 0, through an activation with a kink there. */
export function oneSided(low: number): Forgery {
  const source = {
    ...sourceOf(
      [
        [1, 1],
        [1, 1],
      ],
      24,
      1,
    ),
    seed: 11n,
  };
  const [u, v] = [readerOf(source, 0).weight(0, 0) / 2 ** 23, readerOf(source, 1).weight(0, 0) / 2 ** 23];
  if (u < 0) throw new Error('another seed is wanted');
  return forgery(
    `positive univariate weights for inputs from ${low}`,
    networkOf(denseLayer([u * v], [0], { kind: 'leakyRelu', slope: 0.5 })),
    /^source layer 1 relies on inputs ≥ 0, but their range begins at/,
    {
      inputRange: [low, 1],
      source,
      univariate: { inputs: Int32Array.of(0), constantRows: 0, extendedInput: false, signGroups: 'positive' },
      layers: [
        { ...emptyLayer, copyCounts: Int32Array.of(1), copyRows: Int32Array.of(0), masks: Uint8Array.of(1) },
      ],
    },
  );
}

/** All weights and biases 0, or all weights, with a bias that is `error` too large. */
export function zeroLayer(bias: number, error: number): Forgery {
  const source = sourceOf(
    [
      [1, 1],
      [1, 1],
    ],
    24,
    1,
  );
  const product = (readerOf(source, 0).bias(0) / 2 ** 23) * (readerOf(source, 1).weight(0, 0) / 2 ** 23);
  const gain = (bias + error) / Math.abs(product);
  return forgery(
    `a bias of ${bias} beside weights of 0 that is ${error} too large`,
    networkOf(denseLayer([0], [Math.sign(product) * bias])),
    /^source layer 2: the bias tolerance \S+ is wider than/,
    {
      source: { ...source, layers: source.layers.with(1, { rows: 1, cols: 1, taps: 1, gain, biasGain: 1 }) },
      univariate: { inputs: Int32Array.of(-1), constantRows: 1, extendedInput: false, signGroups: 'any' },
      layers: [
        {
          ...emptyLayer,
          copyCounts: Int32Array.of(1),
          copyRows: Int32Array.of(0),
          masks: Uint8Array.of(1),
          biasElements: Int32Array.of(0),
          biasTolerance: Math.abs(error),
        },
      ],
    },
  );
}

/** A bias made of constants of 2^`exponent`: where that is much, float64 loses more of their sum than the tolerance allows. */
export function largeConstants(exponent: number): Forgery {
  const rows = 3000;
  const source = sourceOf(
    [
      [rows, 1],
      [1, rows],
    ],
    24,
    1,
  );
  const layers = source.layers.with(0, { rows, cols: 1, taps: 1, gain: 1, biasGain: 2 ** exponent });
  const [first, second] = [readerOf(source, 0), readerOf(source, 1)];
  const product = (row: number): number => first.bias(row) * second.weight(0, row);
  const elements = Array.from({ length: rows - 1 }, (_, row) => row + 1)
    .filter((row) => Math.abs(first.bias(row)) > 2 ** 21 && product(row) > 0)
    .slice(0, 1000);
  const sum = elements.reduce((whole, row) => whole + product(row), 0);
  if (BigInt(sum) === elements.reduce((whole, row) => whole + BigInt(product(row)), 0n))
    throw new Error('the sum is to round');
  const weight = (first.weight(0, 0) * second.weight(0, 0)) / 2 ** 46;
  return forgery(
    `a bias of constants up to 2^${exponent}`,
    networkOf(denseLayer([weight], [sum * 2 ** (exponent - 46)])),
    /^source layer 2, neuron 0, row 0, bias: residual 0 of numbers so large/,
    {
      source: { ...source, layers },
      univariate: {
        inputs: new Int32Array(rows).fill(-1).fill(0, 0, 1),
        constantRows: rows - 1,
        extendedInput: false,
        signGroups: 'any',
      },
      layers: [
        {
          ...emptyLayer,
          copyCounts: Int32Array.of(1),
          copyRows: Int32Array.of(0),
          masks: ones(1 + elements.length),
          biasElements: Int32Array.from(elements),
          biasTolerance: 0.01 * Math.abs(weight),
        },
      ],
    },
  );
}

/** A bias from a constant in row 1 − `constantRows` of a layer that has one row. */
export function absentConstants(constantRows: number): Forgery {
  const source = sourceOf(
    [
      [1, 1],
      [1, 1],
      [1, 1],
    ],
    24,
    1,
  );
  const row = 1 - constantRows;
  const constant = readerOf(source, 1).bias(row) / 2 ** 23;
  const weight = readerOf(source, 2).weight(0, row) / 2 ** 23;
  return forgery(
    `${constantRows} constants in one row`,
    networkOf(denseLayer([0], [0]), denseLayer([0], [constant * weight])),
    /^source layer 2: \d+ constant rows, expected at most 1/,
    {
      source,
      layers: [
        {
          ...emptyLayer,
          copyCounts: Int32Array.of(0),
          constantElements: new Int32Array(constantRows).fill(-1),
        },
        {
          ...emptyLayer,
          copyCounts: Int32Array.of(1),
          copyRows: Int32Array.of(0),
          masks: Uint8Array.of(1),
          biasElements: Int32Array.of(row),
          biasTolerance: 0.01 * Math.abs(constant * weight),
        },
      ],
    },
  );
}

/** Every one that must be refused. */
export function forgeries(): readonly Forgery[] {
  return [
    emptyTicket(1),
    emptyTicket(0.99),
    univariateBlock(41),
    overflowingBlock(),
    deeperBlock(41),
    biasBlock(4097),
    biasBlock(3, true),
    oneSided(-1),
    oneSided(-1e-9),
    largeConstants(70),
    absentConstants(3),
    zeroLayer(0, 0.009),
    zeroLayer(0.001, 0.009),
    zeroLayer(0.5, 0.0051),
  ];
}

/** Their neighbours that are sound. */
export function nearForgeries(): readonly Forgery[] {
  return [
    univariateBlock(40),
    deeperBlock(40),
    biasBlock(4096),
    biasBlock(3),
    largeConstants(5),
    absentConstants(1),
    oneSided(0),
    zeroLayer(0.5, 0.0049),
  ];
}
