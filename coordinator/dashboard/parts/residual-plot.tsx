/** How close blocks come to their targets. */
import { formatCount, formatShare } from '../../../src/core/format-number.ts';

const width = 240;
const height = 64;

/** A histogram of |residual| over tolerance; nothing before blocks have been sampled. */
export function ResidualPlot({
  counts,
  title,
}: {
  readonly counts: readonly number[];
  readonly title: string;
}) {
  const total = counts.reduce((sum, count) => sum + count, 0);
  if (total === 0) return null;
  const most = Math.max(...counts);
  const step = width / counts.length;
  const half = counts.slice(0, counts.length / 2).reduce((sum, count) => sum + count, 0);
  const text = `${formatShare(half / total)} of ${formatCount(total)} sampled blocks of ${title} are within half the tolerance, all within it.`;
  return (
    <figure class="residuals">
      <figcaption>Error against tolerance</figcaption>
      <svg viewBox={`0 0 ${width} ${height + 14}`} role="img" aria-label={text}>
        {counts.map((count, bin) => (
          <rect
            key={bin}
            x={bin * step + 0.5}
            width={step - 1}
            y={height - (height * count) / most}
            height={(height * count) / most}
          />
        ))}
        <line x1="0" x2={width} y1={height} y2={height} />
        <text x="0" y={height + 12}>
          0
        </text>
        <text x={width} y={height + 12} text-anchor="end">
          tolerance
        </text>
      </svg>
    </figure>
  );
}
