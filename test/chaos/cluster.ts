/**
 * A coordinator and workers as real processes over one data directory, which a scenario kills and starts again. Workers write down
 * every acknowledgement they get; after a kill the store must hold all of them.
 */
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';
import type { TileSize } from '../../src/core/plan/tiles.ts';
import { type NodeProcess, startNode } from '../support/node-process.ts';

/** Options of a cluster. */
export interface ClusterOptions {
  readonly workers: number;
  readonly tileSize: TileSize;
  /** Data directory; one of its own by default. */
  readonly data?: string;
  /** Port of the coordinator; any free one by default. */
  readonly port?: number;
}

/** Processes that a scenario is done with when it calls `close`. */
export class Cluster {
  readonly workers: NodeProcess[] = [];
  readonly data: string;
  coordinator: NodeProcess | undefined;
  url = '';
  /** Time from starting a coordinator until it listens. */
  readonly startsMs: number[] = [];
  private readonly options: ClusterOptions;
  private readonly folder = mkdtempSync(join(tmpdir(), 'tombola-chaos-'));
  private readonly log = join(this.folder, 'acknowledged');

  constructor(options: ClusterOptions) {
    this.options = options;
    this.data = options.data ?? join(this.folder, 'data');
    writeFileSync(this.log, '');
  }

  /** Starts everything. */
  async open(): Promise<void> {
    await this.startCoordinator();
    for (let index = 0; index < this.options.workers; index++) this.startWorker(index);
  }

  /** Starts the coordinator on the port it had; resolves when it listens, rejects when it ends before. */
  async startCoordinator(failpoint?: string): Promise<void> {
    const { tileSize } = this.options;
    const port = this.url === '' ? (this.options.port ?? 0) : Number(new URL(this.url).port);
    const startMs = performance.now();
    this.coordinator = startEntry(
      'coordinator-entry.mjs',
      { directory: this.data, tileSize, port },
      failpoint === undefined ? undefined : { name: failpoint, folder: this.data },
    );
    const [url] = await this.coordinator.said(/http:\/\/127\.0\.0\.1:\d+(?=\n)/);
    this.startsMs.push(performance.now() - startMs);
    this.url = url;
  }

  startWorker(index: number, failpoint?: string): void {
    this.workers[index] = startEntry(
      'recording-worker-entry.mjs',
      { urls: [this.url], log: this.log },
      failpoint === undefined ? undefined : { name: failpoint, folder: this.data },
    );
  }

  /** How many acknowledgements workers have had. */
  acknowledgedCount(): number {
    return this.acknowledged().length;
  }

  /**
   * Throws where something that a worker was told is durable is not in the store. The coordinator has been killed: a copy is opened,
   * so that recovering what is there stays its next incarnation's business. Returns how many results were looked for.
   */
  async checkStore(): Promise<number> {
    const isNew = !existsSync(this.data) && this.acknowledgedCount() === 0;
    if (isNew) return 0;
    const copy = join(this.folder, 'copy');
    rmSync(copy, { recursive: true, force: true });
    cpSync(this.data, copy, { recursive: true });
    const engine = await openLocalEngine(copy);
    try {
      const names = new Set(this.acknowledged().map(([job, tile]) => `${job} ${tile}`));
      await Promise.all(
        [...names].map(async (name) => {
          const [job = '', tile = ''] = name.split(' ');
          if ((await engine.readResult(job, tile)) === undefined)
            throw new Error(`LOST: tile ${tile} of job ${job} was acknowledged and is not in the store`);
        }),
      );
      return names.size;
    } finally {
      await engine.close();
    }
  }

  /** Ends all processes and removes what they left. */
  async close(): Promise<void> {
    const all = this.coordinator === undefined ? this.workers : [this.coordinator, ...this.workers];
    await Promise.all(all.map((process) => process.end('SIGKILL')));
    rmSync(this.folder, { recursive: true, force: true });
  }

  private acknowledged(): readonly (readonly string[])[] {
    const text = readFileSync(this.log, 'utf8');
    return text
      .slice(0, text.lastIndexOf('\n') + 1)
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => line.split(' '));
  }
}

/** Starts a program of test/support; scripts run bundled, from the root of the repository. */
export function startEntry(
  file: string,
  argument: object,
  failpoint?: { readonly name: string; readonly folder: string },
): NodeProcess {
  if (failpoint === undefined) return startNode(urlOf(file), argument);
  const { name, folder } = failpoint;
  return startNode(urlOf(file), argument, {
    preload: urlOf('failpoint-preload.mjs'),
    variables: { FAILPOINT: name, FAILPOINT_FOLDER: folder },
  });
}

function urlOf(file: string): string {
  return pathToFileURL(join(process.cwd(), 'test/support', file)).href;
}
