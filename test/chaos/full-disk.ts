/** The data directory on a disk that fills up: the job waits and says why, and goes on when there is room; nothing is lost. */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { jobStatus, tilesDone } from '../support/job-client.ts';
import { Cluster } from './cluster.ts';
import { checkTicket, makeJob, submit, tileSize } from './jobs.ts';

/** What came of it. */
export interface FullDiskReport {
  readonly skipped: string;
  /** The first line of the log about it. */
  readonly line: string;
  readonly tilesWhenFull: number;
  readonly acknowledged: number;
  readonly seconds: number;
}

/** Fills the disk in the middle of a job, with a kill -9 of the coordinator while it is full if asked for. */
export async function fullDisk({ isKilled }: { readonly isKilled: boolean }): Promise<FullDiskReport> {
  const startMs = performance.now();
  const data = mkdtempSync(join(tmpdir(), 'tombola-disk-'));
  const mount = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=8m', 'tmpfs', data], { encoding: 'utf8' });
  if (mount.status !== 0) {
    rmSync(data, { recursive: true });
    const skipped = `no tmpfs can be mounted: ${mount.stderr.trim()}`;
    return { skipped, line: '', tilesWhenFull: 0, acknowledged: 0, seconds: 0 };
  }
  const cluster = new Cluster({ workers: 2, tileSize, data });
  try {
    const job = await makeJob(1);
    await cluster.open();
    const id = await submit(cluster.url, job);
    while (cluster.acknowledgedCount() < 10) await delay(10);
    fill(join(data, 'ballast'));
    const text = cluster.coordinator;
    await text?.said(/"event":"store-failed".*\n/);
    const line = /.*"event":"store-failed".*/.exec(text?.text() ?? '')?.[0] ?? '';
    const tilesWhenFull = tilesDone(await jobStatus(cluster.url, id));
    if (isKilled) {
      await cluster.coordinator?.end('SIGKILL');
      const refusal = await cluster.startCoordinator().then(
        () => 'started on the full disk',
        (error: unknown) => String(error),
      );
      if (!/started|Cannot/.test(refusal)) throw new Error(`the coordinator says nothing clear: ${refusal}`);
    }
    rmSync(join(data, 'ballast'));
    if (cluster.coordinator?.child.exitCode !== null) await cluster.startCoordinator();
    await checkTicket(cluster.url, id, job);
    await cluster.coordinator?.end('SIGKILL');
    const acknowledged = await cluster.checkStore();
    const seconds = (performance.now() - startMs) / 1000;
    return { skipped: '', line, tilesWhenFull, acknowledged, seconds };
  } finally {
    await cluster.close();
    spawnSync('umount', [data]);
    rmSync(data, { recursive: true, force: true });
  }
}

/** Writes until nothing more fits. */
function fill(path: string): void {
  const file = openSync(path, 'w');
  try {
    for (const size of [65_536, 4096, 512]) writeUntilFull(file, new Uint8Array(size));
  } finally {
    closeSync(file);
  }
}

function writeUntilFull(file: number, bytes: Uint8Array): void {
  try {
    for (;;) writeSync(file, bytes);
  } catch (error) {
    if (!(error instanceof Error) || !('code' in error) || error.code !== 'ENOSPC') throw error;
  }
}
