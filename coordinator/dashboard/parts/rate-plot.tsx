/** A job's rate over time. */
import { useEffect, useRef } from 'preact/hooks';
import UPlot from 'uplot';
import { formatSeconds } from '../../../src/core/format-number.ts';
import { shortCount } from '../view-model.ts';
import { colourOf, isDark } from './scheme.ts';
import { useWidth } from './use-width.ts';

const height = 130;

/** A line from the job's beginning to now. */
export function RatePlot({
  rates,
  everyMs,
}: {
  readonly rates: readonly number[];
  readonly everyMs: number;
}) {
  const frame = useRef<HTMLDivElement>(null);
  const plot = useRef<UPlot | null>(null);
  const width = useWidth(frame);
  const dark = isDark.value;
  const data: UPlot.AlignedData = [rates.map((_, index) => ((index + 1) * everyMs) / 1000), [...rates]];
  useEffect(() => {
    if (frame.current === null || width === 0) return undefined;
    const made = new UPlot(optionsOf(width), data, frame.current);
    plot.current = made;
    return () => {
      made.destroy();
      plot.current = null;
    };
  }, [width, dark]);
  useEffect(() => plot.current?.setData(data), [rates]);
  const last = rates.at(-1) ?? 0;
  const text = `Blocks a second since the job was begun: ${shortCount(last)} at last, ${shortCount(Math.max(...rates))} at most, over ${formatSeconds((rates.length * everyMs) / 1000)}.`;
  return (
    <figure class="rates">
      <figcaption>Blocks a second</figcaption>
      <div ref={frame} role="img" aria-label={text} />
    </figure>
  );
}

function optionsOf(width: number): UPlot.Options {
  const axis: UPlot.Axis = {
    stroke: colourOf('quiet'),
    grid: { stroke: colourOf('line'), width: 1 },
    ticks: { show: false },
    font: '12px system-ui, sans-serif',
  };
  return {
    width,
    height,
    legend: { show: false },
    cursor: { show: false },
    scales: { x: { time: false }, y: { range: (_, __, most) => [0, Math.max(1, most * 1.1)] } },
    axes: [
      {
        ...axis,
        size: 24,
        values: (_, ticks) => ticks.map((tick) => formatSeconds(tick).replace('.0 s', ' s')),
      },
      { ...axis, size: 56, values: (_, ticks) => ticks.map(shortCount) },
    ],
    series: [
      {},
      { stroke: colourOf('accent'), fill: colourOf('accent-faint'), width: 2, points: { show: false } },
    ],
  };
}
