/** The map of a layer's tiles, on a canvas: thousands of cells, of which only those that change are drawn again. */
import { useEffect, useRef } from 'preact/hooks';
import { type Cell, cellOf } from '../../../src/core/live/tile-cells.ts';
import { colourOf, isDark } from './scheme.ts';
import { useWidth } from './use-width.ts';

const cellSizes = [16, 14, 12, 10, 8, 7, 6, 5, 4, 3];
const heightMax = 180;

/** What is drawn at the moment. */
interface Drawn {
  readonly key: string;
  readonly cells: string;
}

/** The map and its legend; its text alternative stands beside it (view-model.ts, tilesText). */
export function TileMap({ cells, label }: { readonly cells: string; readonly label: string }) {
  const frame = useRef<HTMLDivElement>(null);
  const canvas = useRef<HTMLCanvasElement>(null);
  const drawn = useRef<Drawn>({ key: '', cells: '' });
  const width = useWidth(frame);
  const dark = isDark.value;
  useEffect(() => {
    if (canvas.current === null || width === 0) return;
    const key = `${width} ${cells.length} ${dark} ${window.devicePixelRatio}`;
    const before = drawn.current.key === key ? drawn.current.cells : null;
    drawn.current = { key, cells };
    draw(canvas.current, { cells, before, width });
  }, [cells, width, dark]);
  return (
    <div class="tiles" ref={frame}>
      <canvas ref={canvas} role="img" aria-label={label} />
      <ul class="legend" aria-hidden="true">
        {['done', 'working', 'retried', 'failed', 'waiting'].map((name) => (
          <li key={name} class={`tile-${name}`}>
            {name === 'working' ? 'in work' : name}
          </li>
        ))}
      </ul>
    </div>
  );
}

/** @param before what the canvas shows; null: nothing that can be kept. */
function draw(
  canvas: HTMLCanvasElement,
  { cells, before, width }: { cells: string; before: string | null; width: number },
): void {
  const size = cellSizes.find((each) => rowsOf(cells.length, width, each) * each <= heightMax) ?? 3;
  const columns = Math.max(1, Math.floor(width / size));
  const scale = window.devicePixelRatio;
  if (before === null) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(rowsOf(cells.length, width, size) * size * scale);
  }
  const context = canvas.getContext('2d');
  if (context === null) return;
  context.setTransform(scale, 0, 0, scale, 0, 0);
  const palette = readPalette();
  for (let index = 0; index < cells.length; index++) {
    const code = cells.charCodeAt(index);
    if (before !== null && code === before.charCodeAt(index)) continue;
    const place = { x: (index % columns) * size, y: Math.floor(index / columns) * size, size };
    drawCell(context, { cell: cellOf(code), place, palette });
  }
}

interface Palette {
  readonly waiting: string;
  readonly done: string;
  readonly marks: Readonly<Record<Exclude<Cell['mark'], 'none'>, string>>;
}

function readPalette(): Palette {
  return {
    waiting: colourOf('tile-waiting'),
    done: colourOf('tile-done'),
    marks: {
      working: colourOf('tile-working'),
      retried: colourOf('tile-retried'),
      failed: colourOf('tile-failed'),
    },
  };
}

/** A cell that is nothing but its mark is filled with it; where part of it is done, the mark is a square within. */
function drawCell(
  context: CanvasRenderingContext2D,
  {
    cell: { level, mark },
    place: { x, y, size },
    palette,
  }: {
    cell: Cell;
    place: { x: number; y: number; size: number };
    palette: Palette;
  },
): void {
  const side = size > 4 ? size - 1 : size;
  context.clearRect(x, y, size, size);
  context.fillStyle = palette.waiting;
  context.fillRect(x, y, side, side);
  if (level > 0) {
    context.globalAlpha = level / 7;
    context.fillStyle = palette.done;
    context.fillRect(x, y, side, side);
    context.globalAlpha = 1;
  }
  if (mark === 'none') return;
  const inset = level === 0 || mark === 'failed' ? 0 : Math.max(1, Math.round(side / 4));
  context.fillStyle = palette.marks[mark];
  context.fillRect(x + inset, y + inset, side - 2 * inset, side - 2 * inset);
}

function rowsOf(count: number, width: number, size: number): number {
  return Math.ceil(count / Math.max(1, Math.floor(width / size)));
}
