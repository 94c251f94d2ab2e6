/**
 * A second checker of tickets, for tests: BigInt sums over philoxBlock, written from the header comments of ticket-file.ts and
 * source-network.ts. It shares no code with src/core/{plan,ticket,verify} and reads no layout but its own.
 */
import { activate, linearisation } from '../../src/core/network/activation.ts';
import { applyStep } from '../../src/core/network/forward.ts';
import type { Network } from '../../src/core/network/network.ts';
import { networkShapes, type Shape, tapCount, windowPositions } from '../../src/core/network/shapes.ts';
import { philoxBlock } from '../../src/core/random/philox.ts';
import type { Ticket, TicketLayer } from '../../src/core/ticket/ticket.ts';

/** What one mask bit keeps. */
interface Edge {
  /** channel·taps + tap of the target weight it serves with its sign group, or the bias. */
  readonly block: string;
  readonly weight: number;
  /** col·taps + tap, −1 for the row's own bias. */
  readonly element: number;
  readonly multiplier: bigint;
}

/** Rechecks single rows of a ticket whose shapes are sound. */
export class IndependentCheck {
  private readonly ticket: Ticket;
  private readonly network: Network;
  private readonly words = new Map<string, bigint>();
  private readonly half: number;
  private readonly edges = new Map<number, readonly Edge[]>();
  private readonly constants = new Map<string, number>();

  constructor(ticket: Ticket, network: Network) {
    this.ticket = ticket;
    this.network = network;
    this.half = 2 ** (ticket.source.gridBits - 1);
  }

  /** Returns what is wrong with any row, or null. */
  fault(): string | null {
    const claim = this.claimFault();
    if (claim !== null) return claim;
    const { signGroups, inputs } = this.ticket.univariate;
    const negative = [...inputs].findIndex((input, row) => input >= 0 && this.weight(0, row, input) < 0n);
    if (
      signGroups === 'positive' &&
      negative >= 0 &&
      negative < inputs.length - this.ticket.univariate.constantRows
    )
      return `univariate row ${negative} is negative`;
    for (const [index, layer] of this.ticket.layers.entries())
      for (let copy = 0; copy < layer.copyRows.length; copy++) {
        const fault = this.rowFault(index, copy);
        if (fault !== null) return fault;
      }
    return null;
  }

  /** Returns which block is too long, which edge stands for two bits, or which claim is wider than the target allows. */
  private claimFault(): string | null {
    const { univariate, mode, epsilon, inputRange, layers } = this.ticket;
    const low = this.network.inputSteps.reduce(
      (lowest, step) => applyStep(step, Float64Array.of(lowest), [1, 1, 1]).values[0] ?? lowest,
      inputRange[0],
    );
    if (univariate.signGroups === 'positive' && low < 0) return `inputs from ${low}`;
    for (const [index, { biasElements, constantElements, biasTolerance, biasQuantum }] of layers.entries()) {
      const long = this.groups(index).find(({ columns }) => columns.length > 40);
      const rows = index + 1 < layers.length ? (this.ticket.source.layers[index + 1]?.rows ?? 0) : 0;
      if (constantElements.length > rows) return `layer ${index}, constants without rows`;
      if (long !== undefined || biasElements.length > 4096) return `layer ${index}, a block too long`;
      if (new Set(biasElements).size !== biasElements.length) return `layer ${index}, an edge twice`;
      const scale = this.scale(index);
      const widest = mode === 'tolerance' ? epsilon * scale : scale / (this.half - 1) / 2;
      if (Math.max(biasTolerance, biasQuantum) > widest * (1 + 1e-12))
        return `layer ${index}, its biases too coarse`;
    }
    return null;
  }

  /** Largest |weight| of a target layer, or |bias| if there is no weight but 0. */
  private scale(index: number): number {
    const { weights, bias } = this.linear(index);
    const largest = (values: Float64Array): number =>
      values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
    return largest(weights) || largest(bias);
  }

  /** Returns which block of one copy of target layer `index` is out of tolerance, or null. */
  rowFault(index: number, copy: number): string | null {
    const layer = this.layer(index);
    const neuron = this.neuronOf(layer, copy);
    const row = layer.copyRows[copy] ?? -1;
    let size = 0;
    const sums = this.emptySums(index);
    let kept = 0n;
    let bias = 0;
    this.edgesOf(index).forEach((edge, bit) => {
      const block = sums.get(edge.block) ?? { sum: 0n, weight: edge.weight };
      sums.set(edge.block, block);
      if (!this.isKept(layer, copy, bit)) return;
      if (edge.weight < 0) {
        const term = this.biasTerm(index, row, edge.element);
        bias += term;
        size += Math.abs(term);
      } else {
        const value = this.weight(index + 1, row, edge.element);
        kept += value;
        block.sum += value * edge.multiplier;
      }
    });
    for (const [block, { sum, weight }] of sums)
      if (weight >= 0 && !this.weightFits(index, neuron * this.rowLength(index) + weight, sum))
        return `layer ${index}, row ${row}, ${block}`;
    const intercept = index === 0 ? (this.slopes().intercept * Number(kept) * this.gain(1)) / this.half : 0;
    return this.biasFits(index, neuron, { found: bias + intercept, size: size + Math.abs(intercept) })
      ? null
      : `layer ${index}, row ${row}, bias`;
  }

  /** Every block of a row, those without samples too. */
  private emptySums(index: number): Map<string, { sum: bigint; weight: number }> {
    const taps = this.taps(index);
    return new Map(
      this.groups(index).flatMap(({ channel }, group) =>
        Array.from(
          { length: taps },
          (_, tap) => [`group ${group}, tap ${tap}`, { sum: 0n, weight: channel * taps + tap }] as const,
        ),
      ),
    );
  }

  private weightFits(index: number, position: number, sum: bigint): boolean {
    const { weights } = this.linear(index);
    const target = weights[position] ?? Number.NaN;
    const scale =
      index === 0
        ? (this.gain(1) * this.gain(0) * this.slope()) / this.half ** 2
        : this.gain(index + 1) / this.half;
    if (this.ticket.mode === 'tolerance')
      return Math.abs(Number(sum) * scale - target) <= this.ticket.epsilon * this.scale(index) * (1 + 1e-9);
    const quantum = this.scale(index) / (this.half - 1) || 1;
    return Math.abs(scale / quantum - 1) < 4e-12 && sum === BigInt(Math.round(target / quantum));
  }

  /** @param size the sum of sizes of what `found` is the sum of. */
  private biasFits(index: number, neuron: number, { found, size }: { found: number; size: number }): boolean {
    const { biasQuantum, biasTolerance } = this.layer(index);
    const bias = this.linear(index).bias[neuron] ?? Number.NaN;
    const target = biasQuantum > 0 ? Math.round(bias / biasQuantum) * biasQuantum : bias;
    const noise = 1e-12 * (size + Math.abs(target));
    const residual = Math.abs(found - target);
    return (residual <= noise && noise <= biasQuantum / 64) || residual + noise <= biasTolerance * (1 + 1e-6);
  }

  private biasTerm(index: number, row: number, element: number): number {
    const source = this.ticket.source.layers[index + 1];
    if (element < 0) return ((source?.biasGain ?? 0) * Number(this.number(2 * index + 3, row))) / this.half;
    const weight = (this.gain(index + 1) * Number(this.weight(index + 1, row, element))) / this.half;
    return weight * this.constantAt(index, element);
  }

  /** What an edge into target layer `index` reads, the same at every position of its row; NaN where it is not. */
  private constantAt(index: number, element: number): number {
    const key = `${index}/${element}`;
    const value = this.constants.get(key) ?? this.readConstant(index, element);
    this.constants.set(key, value);
    return value;
  }

  private readConstant(index: number, element: number): number {
    const { linear } = this.network.layers[index] ?? {};
    const taps = this.taps(index);
    const tap = element % taps;
    const map = this.constantMap(index, Math.floor(element / taps));
    if (linear === undefined || linear.kind === 'dense') return map.values[tap] ?? Number.NaN;
    const [, height = 1, width = 1] = map.shape;
    const [top, left] = index === 0 ? [0, 0] : linear.padding;
    const window = { ...linear, padding: index === 0 ? ([0, 0, 0, 0] as const) : linear.padding };
    const [rows, columns] = windowPositions([height, width], window);
    const read = new Set<number>();
    for (let position = 0; position < rows * columns; position++) {
      const y =
        Math.floor(position / columns) * linear.strides[0] +
        Math.floor(tap / linear.kernel[1]) * linear.dilations[0] -
        top;
      const x =
        (position % columns) * linear.strides[1] + (tap % linear.kernel[1]) * linear.dilations[1] - left;
      const inside = y >= 0 && y < height && x >= 0 && x < width;
      read.add(inside ? (map.values[y * width + x] ?? Number.NaN) : 0);
    }
    return read.size === 1 ? ([...read][0] ?? Number.NaN) : Number.NaN;
  }

  /** The output of row `row` of source layer `index` + 1 (1-based), which must be a constant. */
  private constantMap(index: number, row: number): { values: Float64Array; shape: Shape } {
    const { univariate, source } = this.ticket;
    const layer = source.layers[index];
    const bias =
      source.biasInit === 'zero'
        ? 0
        : ((layer?.biasGain ?? 0) * Number(this.number(2 * index + 1, row))) / this.half;
    const shape = this.linearShape(index - 1);
    const plane = (value: number): Float64Array =>
      new Float64Array(shape.reduce((a, b) => a * b, 1)).fill(value);
    if (index === 0) {
      if (row < univariate.inputs.length - univariate.constantRows)
        return { values: plane(Number.NaN), shape };
      const edge = univariate.extendedInput
        ? (this.gain(0) * Number(this.weight(0, row, (layer?.cols ?? 0) - 1))) / this.half
        : 0;
      return { values: plane(activate(this.activation(), bias + edge)), shape };
    }
    const elements = this.layer(index - 1).constantElements;
    const element = elements[row - ((layer?.rows ?? 0) - elements.length)] ?? Number.NaN;
    const kept =
      element < 0
        ? 0
        : ((this.gain(index) * Number(this.weight(index, row, element))) / this.half) *
          this.constantAt(index - 1, element);
    const steps = (this.network.layers[index - 1]?.steps ?? []).filter((step) => step.kind !== 'flatten');
    return steps.reduce((tensor, step) => applyStep(step, tensor.values, tensor.shape), {
      values: plane(bias + kept),
      shape,
    });
  }

  /** [1, height, width] behind a layer's linear map; index −1 is source layer 1, which pads for the first target layer. */
  private linearShape(index: number): Shape {
    const shapes = networkShapes(this.network);
    const first = this.network.layers[0]?.linear;
    if (index >= 0) return [1, ...(shapes.layers[index]?.linear.slice(1) ?? [])];
    const [, height = 1, width = 1] = shapes.firstInput;
    if (first?.kind !== 'convolution') return [1];
    const [top, left, bottom, right] = first.padding;
    return [1, height + top + bottom, width + left + right];
  }

  /** The meaning of a row's mask bits, from ticket-file.ts's header. */
  private edgesOf(index: number): readonly Edge[] {
    const known = this.edges.get(index);
    if (known !== undefined) return known;
    const taps = this.taps(index);
    const layer = this.layer(index);
    const edges: Edge[] = [];
    this.groups(index).forEach(({ channel, columns }, group) => {
      for (let tap = 0; tap < taps; tap++)
        for (const { column, multiplier } of columns)
          edges.push({
            block: `group ${group}, tap ${tap}`,
            weight: channel * taps + tap,
            element: column * taps + tap,
            multiplier,
          });
    });
    for (const element of [...layer.biasElements, ...(layer.ownBias ? [-1] : [])])
      edges.push({ block: 'bias', weight: -1, element, multiplier: 1n });
    this.edges.set(index, edges);
    return edges;
  }

  private groups(index: number): { channel: number; columns: { column: number; multiplier: bigint }[] }[] {
    const { univariate } = this.ticket;
    const channels = this.rowLength(index) / this.taps(index);
    const indices = Array.from({ length: channels }, (_, channel) => channel);
    if (index > 0) {
      const before = this.layer(index - 1);
      const copies = [...before.copyRows].map((column, copy) => ({
        column,
        multiplier: 1n,
        neuron: this.neuronOf(before, copy),
      }));
      return indices.map((channel) => ({
        channel,
        columns: copies.filter(({ neuron }) => neuron === channel),
      }));
    }
    const rows = [...univariate.inputs.subarray(0, univariate.inputs.length - univariate.constantRows)].map(
      (input, column) => ({
        input,
        column,
        multiplier: input < 0 ? 0n : this.weight(0, column, input),
      }),
    );
    return indices.flatMap((channel) => {
      const all = rows.filter(({ input }) => input === channel);
      if (univariate.signGroups !== 'both') return [{ channel, columns: all }];
      const isNegative = ({ multiplier }: { multiplier: bigint }): boolean => multiplier < 0n;
      return [all.filter((row) => !isNegative(row)), all.filter(isNegative)].map((columns) => ({
        channel,
        columns,
      }));
    });
  }

  private isKept(layer: TicketLayer, copy: number, bit: number): boolean {
    const bytes = layer.masks.length / layer.copyRows.length;
    return (((layer.masks[copy * bytes + (bit >> 3)] ?? 0) >> (bit & 7)) & 1) === 1;
  }

  private neuronOf(layer: TicketLayer, copy: number): number {
    let end = 0;
    return layer.copyCounts.findIndex((count) => {
      end += count;
      return copy < end;
    });
  }

  /** Grid integer of the weight at `element` of a row; `sourceLayer` from 0. */
  private weight(sourceLayer: number, row: number, element: number): bigint {
    const { cols = 0, taps = 0 } = this.ticket.source.layers[sourceLayer] ?? {};
    return this.number(2 * sourceLayer, row * cols * taps + element);
  }

  private number(stream: number, position: number): bigint {
    const key = `${stream}/${position}`;
    let word = this.words.get(key);
    if (word === undefined) {
      const { seed, gridBits } = this.ticket.source;
      const block = philoxBlock(seed, BigInt(stream), BigInt(Math.floor(position / 8) + 1));
      const pair = block[(position % 8) >> 1] ?? 0n;
      const random = position % 2 === 0 ? pair & 0xffffffffn : pair >> 32n;
      word = (random >> BigInt(32 - gridBits)) - (1n << BigInt(gridBits - 1));
      this.words.set(key, word);
    }
    return word;
  }

  private taps(index: number): number {
    const linear = this.linear(index);
    if (linear.kind === 'convolution') return tapCount(linear);
    return index === 0 ? 1 : linear.inputs / this.linear(index - 1).outputs;
  }

  private rowLength(index: number): number {
    const linear = this.linear(index);
    return linear.inputs * tapCount(linear);
  }

  private activation(): Parameters<typeof activate>[0] {
    for (const step of this.network.layers[0]?.steps ?? [])
      if (step.kind === 'activation' && step.activation.kind !== 'identity') return step.activation;
    return { kind: 'identity' };
  }

  private slopes(): ReturnType<typeof linearisation> {
    return linearisation(this.activation());
  }

  private slope(): number {
    const { slopePositive, slopeNegative } = this.slopes();
    return this.ticket.univariate.signGroups === 'both' ? slopePositive + slopeNegative : slopePositive;
  }

  private gain(sourceLayer: number): number {
    return this.ticket.source.layers[sourceLayer]?.gain ?? Number.NaN;
  }

  private linear(index: number): Network['layers'][number]['linear'] {
    const layer = this.network.layers[index];
    if (layer === undefined) throw new Error(`the target has no layer ${index}`);
    return layer.linear;
  }

  private layer(index: number): TicketLayer {
    const layer = this.ticket.layers[index];
    if (layer === undefined) throw new Error(`the ticket has no layer ${index}`);
    return layer;
  }
}
