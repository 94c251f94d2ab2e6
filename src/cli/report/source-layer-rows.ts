/** Rows of a table with one line per source layer: univariate layers between those that stand for target layers. */

import { formatCount } from '../../core/format-number.ts';
import { type ConstructionKind, sourceLayerOf } from '../../core/plan/stage.ts';

/**
 * Returns the rows: number, what the layer stands for, its width, then the rest of its cells.
 * @param cells per target layer: what it is called, then the cells behind the width.
 * @param univariate the cells behind the width of a univariate layer.
 */
export function sourceLayerRows(
  figures: { readonly construction: ConstructionKind; readonly sourceWidths: readonly number[] },
  {
    cells,
    univariate,
  }: { readonly cells: readonly (readonly string[])[]; readonly univariate: readonly string[] },
): string[][] {
  const width = (sourceLayer: number): string => formatCount(figures.sourceWidths[sourceLayer + 1] ?? 0);
  return cells.flatMap(([name = '', ...rest], index) => {
    const place = sourceLayerOf(figures.construction, index);
    const own = [String(place + 1), name, width(place), ...rest];
    if (index > 0 && figures.construction === 'L+1') return [own];
    const what = index === 0 ? 'the input' : 'multiples';
    return [[String(place), what, width(place - 1), ...univariate], own];
  });
}
