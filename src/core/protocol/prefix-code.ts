/**
 * Complete prefix codes (Huffman 1952) that are a function of the counts alone, so that whoever has decoded the symbols can check
 * that the sender used the right code.
 *
 * Lengths: join the two lightest nodes, of equal weights the one made first, symbols before joined ones, until one is left; if a length
 * exceeds {@link codeLengthMax}, halve all counts, rounding up, and start again. A symbol that does not occur has length 0; one
 * that occurs alone has length 1 and costs no bits. Codes: by length, then by symbol, counting up; the first bit sent is the
 * highest one.
 */

/** Bits of the longest code. */
export const codeLengthMax = 10;

/** Returns the code length of each symbol. */
export function codeLengths(counts: ArrayLike<number>): Uint8Array {
  let weights = Array.from(counts);
  for (;;) {
    const lengths = treeDepths(weights);
    if (lengths.every((length) => length <= codeLengthMax)) return lengths;
    weights = weights.map((weight) => Math.ceil(weight / 2));
  }
}

/** Returns whether the lengths are those of a complete code, of one symbol, or of none. */
export function isCompleteCode(lengths: Uint8Array): boolean {
  let used = 0;
  let space = 0;
  for (const length of lengths) {
    if (length > codeLengthMax) return false;
    if (length === 0) continue;
    used++;
    space += 2 ** (codeLengthMax - length);
  }
  if (used <= 1) return space === 0 || space === 2 ** (codeLengthMax - 1);
  return space === 2 ** codeLengthMax;
}

/** Returns each symbol's code, its first bit lowest. */
export function codesOf(lengths: Uint8Array): Uint16Array {
  const codes = new Uint16Array(lengths.length);
  let code = 0;
  for (let length = 1; length <= codeLengthMax; length++, code <<= 1)
    lengths.forEach((own, symbol) => {
      if (own !== length) return;
      let left = code++;
      let reversed = 0;
      for (let bit = 0; bit < length; bit++, left >>= 1) reversed = (reversed << 1) | (left & 1);
      codes[symbol] = reversed;
    });
  return codes;
}

/** Returns the bits each symbol costs: its length, or none if it is alone. */
export function costsOf(lengths: Uint8Array): Uint8Array {
  const isAlone = lengths.filter((length) => length > 0).length === 1;
  return isAlone ? new Uint8Array(lengths.length) : lengths;
}

/**
 * Writes symbol + 64 · (cost + 16 · width) for each window of codeLengthMax bits into `table` from `at` on.
 * `lengths` are those of a complete code, or of one symbol; `widths` of the symbols are below 64, whatever they mean.
 */
export function fillDecodeTable(
  table: Uint16Array,
  at: number,
  { lengths, widths }: { readonly lengths: Uint8Array; readonly widths: Uint8Array },
): void {
  const codes = codesOf(lengths);
  const costs = costsOf(lengths);
  lengths.forEach((length, symbol) => {
    if (length === 0) return;
    const cost = costs[symbol] ?? 0;
    const first = cost === 0 ? 0 : (codes[symbol] ?? 0);
    for (let window = first; window < 1 << codeLengthMax; window += 1 << cost)
      table[at + window] = symbol | (cost << 6) | ((widths[symbol] ?? 0) << 10);
  });
}

/** Depths of the leaves of the Huffman tree; quadratic in the number of symbols, of which there are at most 42. */
function treeDepths(weights: readonly number[]): Uint8Array {
  const nodes = weights.flatMap((weight, symbol) => (weight > 0 ? [{ weight, symbols: [symbol] }] : []));
  const depths = new Uint8Array(weights.length);
  if (nodes.length === 1) for (const symbol of nodes[0]?.symbols ?? []) depths[symbol] = 1;
  while (nodes.length > 1) {
    const [lightest, next] = [takeLightest(nodes), takeLightest(nodes)];
    const symbols = [...lightest.symbols, ...next.symbols];
    for (const symbol of symbols) depths[symbol] = (depths[symbol] ?? 0) + 1;
    nodes.push({ weight: lightest.weight + next.weight, symbols });
  }
  return depths;
}

interface TreeNode {
  readonly weight: number;
  readonly symbols: readonly number[];
}

function takeLightest(nodes: TreeNode[]): TreeNode {
  let lightest = 0;
  nodes.forEach((node, index) => {
    if (node.weight < (nodes[lightest]?.weight ?? 0)) lightest = index;
  });
  const [taken] = nodes.splice(lightest, 1);
  if (taken === undefined) throw new Error('no node to take');
  return taken;
}
