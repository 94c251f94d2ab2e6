/** Jobs and workers as tables for people. */
import { formatBytes, formatCount, formatSeconds, formatShare } from '../../core/format-number.ts';
import { layerTitle } from '../../core/network/layer-name.ts';
import { textList, textTable } from '../report/text-table.ts';
import { remarkOf } from './follow-job.ts';
import type { JobView, WorkerRow } from './job-view.ts';

/** Returns all jobs, one a line. */
export function jobsText(jobs: readonly JobView[]): string {
  if (jobs.length === 0) return '  No jobs.';
  const rows = jobs.map((job) => [job.job, ...figuresOf(job), String(job.priority), job.name]);
  return textTable(['job', 'state', 'done', 'blocks/s', 'left', 'priority', 'name'], rows);
}

/** Returns one job, layer by layer. */
export function jobText(job: JobView): string {
  const [state = '', done = '', rate = '', left = ''] = figuresOf(job);
  const doing = job.phase === null ? '' : `, ${remarkOf(job)}`;
  const rows: (readonly [string, string])[] = [
    ['job', job.job],
    ['name', job.name],
    ['state', job.state === 'running' && job.phase === 'solving' ? state : `${state}${doing}`],
    ['reason', job.state === 'running' ? '' : job.reason],
    ['done', done],
    ['blocks/s', rate],
    ['time left', left],
    ['priority', String(job.priority)],
    [
      'ticket',
      job.result === null ? '' : `${formatBytes(job.result.ticketBytes)}, SHA-256 ${job.result.ticketBlob}`,
    ],
  ];
  const list = textList(rows.filter(([, value]) => value !== '' && value !== '–'));
  return job.progress === null ? list : `${list}\n\n${layersText(job.progress.layers)}`;
}

/** Returns the workers that are connected. */
export function workersText(workers: readonly WorkerRow[]): string {
  if (workers.length === 0) return '  No workers are connected to the gateway that answered.';
  const rows = workers.map((row) => [
    row.worker,
    row.isQuarantined ? `${row.kind}, quarantined` : row.kind,
    formatCount(row.threads),
    formatCount(row.leases),
    formatCount(row.tilesDone),
    formatCount(row.blocksPerSecond),
    formatSeconds(row.silentMs / 1000),
    row.address,
  ]);
  return textTable(
    ['worker', 'kind', 'threads', 'leases', 'tiles done', 'blocks/s', 'silent for', 'address'],
    rows,
  );
}

function layersText(layers: NonNullable<JobView['progress']>['layers']): string {
  const isBefore = (index: number): boolean => layers.slice(0, index).every(({ isDone }) => isDone);
  return textTable(
    ['layer', 'state', 'copies', 'wanted', 'tiles done', 'tiles known', 'pass'],
    layers.map(({ name, copies, copiesWanted, tilesDone, tilesKnown, pass, isDone }, index) => [
      layerTitle(name, index),
      isDone ? 'done' : isBefore(index) ? 'at work' : 'waiting',
      formatCount(copies),
      formatCount(copiesWanted),
      formatCount(tilesDone),
      formatCount(tilesKnown),
      tilesKnown === 0 ? '–' : formatCount(pass),
    ]),
  );
}

function figuresOf({ state, phase, progress }: JobView): string[] {
  const isRunning = state === 'running';
  return [
    isRunning && phase !== null && phase !== 'solving' ? phase : state,
    state === 'done' ? '100 %' : progress === null ? '–' : formatShare(progress.share),
    isRunning && progress !== null ? formatCount(progress.blocksPerSecond) : '–',
    isRunning && progress !== null ? formatSeconds(progress.secondsLeft) : '–',
  ];
}
