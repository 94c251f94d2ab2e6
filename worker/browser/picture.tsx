/** The job as a field of squares that fills up, one's own part in another colour. */
import type { JSX } from 'preact';
import type { JobView } from '../../src/core/protocol/search-view.ts';
import { percentWords } from './words.ts';

const columns = 40;
const rows = 6;
const count = columns * rows;
/** A square and the gap behind it. */
const pitch = 10;
const size = 8;

/** Returns the picture; squares fill column by column. */
export function Picture({
  job,
  ownBlocks,
}: {
  readonly job: JobView;
  readonly ownBlocks: number;
}): JSX.Element {
  const done = Math.floor(job.share * count);
  const own = Math.min(done, ownCount(job, ownBlocks));
  const kindOf = (index: number): string => (index >= done ? 'open' : index >= done - own ? 'own' : 'done');
  return (
    <figure>
      <svg
        viewBox={`0 0 ${columns * pitch - pitch + size} ${rows * pitch - pitch + size}`}
        role="img"
        aria-label={`Progress of the job: ${percentWords(job.share)} solved`}
      >
        {Array.from({ length: count }, (_, index) => (
          <rect
            key={index}
            class={kindOf(index)}
            x={Math.floor(index / rows) * pitch}
            y={(index % rows) * pitch}
            width={size}
            height={size}
            rx={1.5}
          />
        ))}
      </svg>
      <figcaption>
        <span class="key done" /> solved <span class="key own" /> by you <span class="key open" /> to do
      </figcaption>
    </figure>
  );
}

/** Whoever has solved anything sees it. */
function ownCount({ blocksWanted }: JobView, ownBlocks: number): number {
  if (ownBlocks === 0 || blocksWanted === 0) return 0;
  return Math.max(1, Math.round((ownBlocks / blocksWanted) * count));
}
