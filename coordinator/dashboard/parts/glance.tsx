/** The coordinator at a glance. */
import { formatCount, formatSeconds } from '../../../src/core/format-number.ts';
import { overview } from '../store.ts';
import { engineStanding, shortCount } from '../view-model.ts';
import { StandingPill } from './standing-pill.tsx';

/** Four figures that say whether all is well. */
export function Glance() {
  if (overview.value === null) return null;
  const { jobCounts, workers, engine } = overview.value;
  const over = jobCounts.failed + jobCounts.incomplete;
  return (
    <section class="glance" aria-label="At a glance">
      <Tile name="Jobs running" value={formatCount(jobCounts.running)}>
        {formatCount(jobCounts.done)} done
        {over > 0 && <strong class="bad">, {formatCount(over)} failed</strong>}
      </Tile>
      <Tile name="Workers" value={formatCount(workers.count)}>
        {formatCount(workers.threads)} threads, {formatCount(workers.volunteers)} volunteers
        {workers.quarantined > 0 && (
          <strong class="bad">, {formatCount(workers.quarantined)} quarantined</strong>
        )}
      </Tile>
      <Tile name="Blocks a second" value={shortCount(workers.blocksPerSecond)}>
        {formatCount(engine.openTiles)} tiles wait for a worker
      </Tile>
      <Tile name="Results stored" value={shortCount(engine.resultsStored)}>
        {engine.resultsRefused > 0 ? `${formatCount(engine.resultsRefused)} refused` : 'none refused'}
        {engine.localSolves > 0 && `, solving ${formatCount(engine.localSolves)} here`}
        {engine.stalledMs >= 1000 && `, stalled for ${formatSeconds(engine.stalledMs / 1000)} in all`}
        <br />
        <StandingPill {...engineStanding(engine)} />
      </Tile>
    </section>
  );
}

function Tile({
  name,
  value,
  children,
}: {
  name: string;
  value: string;
  children: preact.ComponentChildren;
}) {
  return (
    <div class="card">
      <h2>{name}</h2>
      <p class="big">{value}</p>
      <p class="note">{children}</p>
    </div>
  );
}
