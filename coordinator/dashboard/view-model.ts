/** What the page says, worked out from what it is told: pure, so that it can be tested without a page. */
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  formatShare,
} from '../../src/core/format-number.ts';
import type {
  LiveJob,
  LiveJobRow,
  LiveLayer,
  LiveOptions,
  LiveOverview,
  LiveWorker,
} from '../../src/core/live/views.ts';

/** A word on how something is, and how it looks. */
export interface Standing {
  readonly text: string;
  readonly tone: 'good' | 'busy' | 'quiet' | 'warning' | 'bad';
}

/** A figure with its name. */
export type Figure = readonly [name: string, value: string];

/** Returns what a job is doing or what became of it. */
export function jobStanding({ state, phase }: Pick<LiveJobRow, 'state' | 'phase'>): Standing {
  if (state === 'done') return { text: 'done', tone: 'good' };
  if (state === 'cancelled') return { text: 'cancelled', tone: 'quiet' };
  if (state !== 'running') return { text: state, tone: 'bad' };
  if (phase === 'stalled') return { text: 'stalled', tone: 'warning' };
  if (phase === 'waiting' || phase === null) return { text: 'waiting', tone: 'quiet' };
  return { text: phase, tone: 'busy' };
}

/** Returns the jobs in the order to list them: those that run, the most urgent first, then the latest. */
export function orderedJobs(jobs: LiveOverview['jobs']): readonly (readonly [string, LiveJobRow])[] {
  const rank = ({ state }: LiveJobRow): number => (state === 'running' ? 0 : 1);
  return Object.entries(jobs).sort(
    ([, a], [, b]) =>
      rank(a) - rank(b) ||
      (rank(a) === 0 ? b.priority - a.priority || a.sequence - b.sequence : b.sequence - a.sequence),
  );
}

/** Returns the name to show for a job. */
export function jobTitle(job: string, { name }: Pick<LiveJobRow, 'name'>): string {
  return name.trim() === '' ? `Job ${job.slice(0, 8)}` : name;
}

/** Returns a job's rate and the time it needs, in a few words; '' when it does not run. */
export function paceText({ state, phase, blocksPerSecond, secondsLeft }: LiveJobRow): string {
  if (state !== 'running' || phase !== 'solving') return '';
  if (blocksPerSecond === 0) return 'no worker has handed anything in yet';
  return `${shortCount(blocksPerSecond)} blocks/s, ${formatSeconds(secondsLeft)} left`;
}

/** Returns what was asked for. */
export function optionsText(options: LiveOptions): string {
  const { mode, epsilon, rule, seed } = options;
  const goal = mode === 'exact' ? 'exact' : `ε = ${formatNumber(epsilon)}`;
  return `${goal}, ${rule}, ${copiesText(options)}, seed ${seed}`;
}

/** The 2L construction makes no copies. */
function copiesText({ construction, copies }: LiveOptions): string {
  if (construction === '2L') return '2L construction';
  return copies === 'auto' ? 'copies chosen by the planner' : `${copies} copies`;
}

/** Returns a layer's name. */
export function layerTitle({ name }: Pick<LiveLayer, 'name'>, index: number): string {
  return /^\d*$/.test(name) ? `Layer ${index + 1}` : `Layer ${index + 1}: ${name.slice(0, 40)}`;
}

/** Returns what a layer is doing; `isNext` where all before it are done. */
export function layerStanding(layer: LiveLayer, isNext: boolean): Standing {
  if (layer.isDone) return { text: 'done', tone: 'good' };
  if (layer.failed > 0) return { text: 'failed', tone: 'bad' };
  if (!isNext || layer.tilesKnown === 0) return { text: 'waiting', tone: 'quiet' };
  return { text: layer.pass > 0 ? `reserve pass ${layer.pass}` : 'at work', tone: 'busy' };
}

/** Returns in words what the picture of a layer's tiles shows. */
export function tilesText({
  tilesDone,
  tilesKnown,
  working,
  retried,
  failed,
  tilesPerCell,
}: LiveLayer): string {
  if (tilesKnown === 0) return 'Its tiles are cut when the layers before it are done.';
  const parts = [
    `${formatCount(tilesDone)} of ${formatCount(tilesKnown)} tiles done`,
    `${formatCount(working)} in work`,
    `${formatCount(retried)} retried`,
    `${formatCount(failed)} failed`,
  ];
  return `${parts.join(', ')}${tilesPerCell > 1 ? `; each cell is ${formatCount(tilesPerCell)} tiles` : ''}.`;
}

/** Returns the figures of a layer. */
export function layerFigures(layer: LiveLayer, residualMax: number | null): readonly Figure[] {
  const { copies, copiesWanted, blocks, keptEdges, misses } = layer;
  return [
    ['Copies', `${formatCount(copies)} of ${formatCount(copiesWanted)}`],
    ['Blocks', blocks === 0 ? '–' : shortCount(blocks)],
    ['Kept edges', keptEdges === 0 ? '–' : shortCount(keptEdges)],
    ['Edges a block', blocks === 0 ? '–' : (keptEdges / blocks).toFixed(2)],
    ['Misses', missesText(misses, copies)],
    ...(residualMax === null ? [] : [['Largest residual', formatNumber(residualMax)] as const]),
  ];
}

/** Returns a worker's trust in a few words. */
export function trustOf({
  kind,
  isQuarantined,
  good,
  quota,
}: Pick<LiveWorker, 'kind' | 'isQuarantined' | 'good' | 'quota'>): Standing {
  if (isQuarantined) return { text: 'quarantined', tone: 'bad' };
  const record = `${formatCount(good)} good, may hold ${formatCount(quota)}`;
  return { text: record, tone: kind === 'trusted' || good > 0 ? 'good' : 'quiet' };
}

/** Returns how long ago something was. */
export function agoText(ms: number): string {
  return ms < 4000 ? 'now' : `${formatSeconds(Math.max(0, Math.round(ms / 1000)))} ago`.replace('.0 s', ' s');
}

/** Returns whether storing and checking go well. */
export function engineStanding({ isPaused, pendingResults, heldResults }: LiveOverview['engine']): Standing {
  if (isPaused) return { text: 'The store fails: nothing is handed out', tone: 'bad' };
  if (pendingResults > 0)
    return {
      text: `${formatCount(pendingResults)} results on their way${heldResults > 0 ? `, ${formatCount(heldResults)} held` : ''}`,
      tone: 'good',
    };
  return { text: 'Nothing waits', tone: 'good' };
}

/** Returns the figures of a sealed ticket; none while there is no report. */
export function reportFigures({ report, options }: Pick<LiveJob, 'report' | 'options'>): readonly Figure[] {
  if (report === null) return [];
  const { verdict, seconds, ticketBytes, missedRows, missingCopies } = report;
  const from = options?.mode === 'exact' ? ', from the quantised target' : '';
  const range =
    options === null ? '' : ` for any input in [${options.inputRange.map(formatNumber).join(', ')}]`;
  return [
    ['Verified', verdict.fault === null ? 'every residual, as read back from disk' : `no: ${verdict.fault}`],
    [
      'Certified bound',
      verdict.certifiedBound === null
        ? 'not finite'
        : `${formatNumber(verdict.certifiedBound)}${range}${from}`,
    ],
    ['Kept edges', `${formatCount(verdict.keptEdges)} for ${formatCount(verdict.blocks)} blocks`],
    ['Rows missed', formatCount(missedRows)],
    ...(missingCopies > 0 ? [['Copies missing', formatCount(missingCopies)] as const] : []),
    ['Ticket', formatBytes(ticketBytes)],
    [
      'Time',
      `plan ${formatSeconds(seconds.plan)}, solve ${formatSeconds(seconds.solve)}, verify ${formatSeconds(seconds.verify)}`,
    ],
  ];
}

/** Returns a count in four characters or so: 12.3 M. */
export function shortCount(value: number): string {
  if (value < 10_000) return formatCount(value);
  const [scale, unit] = value < 1e6 ? [1e3, 'k'] : value < 1e9 ? [1e6, 'M'] : [1e9, 'G'];
  return `${Number((value / scale).toPrecision(3))} ${unit}`;
}

/** Returns the share done, to a tenth of a per cent and never 100 before it is all. */
export function shareText(share: number | null): string {
  if (share === null) return '–';
  return share >= 1 ? '100 %' : `${(Math.floor(share * 1000) / 10).toFixed(1)} %`;
}

function missesText(misses: number, copies: number): string {
  return misses === 0 ? '0' : `${formatCount(misses)} (${formatShare(misses / (misses + copies))} of rows)`;
}
