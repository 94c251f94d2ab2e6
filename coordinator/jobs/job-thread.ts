/** What one job's thread runs: the job, with calls to the coordinator's thread in place of store, ledger and solver. */
import { parentPort, workerData } from 'node:worker_threads';
import { decodeNetwork, networkDigest } from '../../src/core/format/network-file.ts';
import { threadCallsOnTheWayMax } from '../../src/core/limits.ts';
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import { ownedBuffer } from '../owned-buffer.ts';
import { withSharedArrays } from '../shared-arrays.ts';
import type { TileObserver } from '../tile-observer.ts';
import { decodeJobRequest } from './job-request.ts';
import type { FromThread, ThreadCall, ThreadCalls, ThreadStart, ToThread } from './job-thread-messages.ts';
import { threadVerifier } from './job-verifier.ts';
import { type JobEnvironment, runJob } from './run-job.ts';
import { slicedSolver } from './sliced-solver.ts';
import { errorOf, plainError } from './thread-errors.ts';

/** Neurons of a planner's probe in one call: a few milliseconds of the coordinator's thread. */
const probeNeuronsMax = 500;

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: Error) => void;
}

/** Calls the coordinator's thread, a few at a time, so that it is never away for long with taking calls up. */
class Caller {
  private readonly calls = new Map<number, Waiting>();
  /** Calls that have not been taken up. */
  private readonly onTheWay = new Set<number>();
  private readonly queue: (() => void)[] = [];
  private count = 0;

  call<Name extends keyof ThreadCalls>(
    name: Name,
    args: Parameters<ThreadCalls[Name]>,
    { before, transfer = [] }: { before?: () => void; transfer?: readonly ArrayBuffer[] } = {},
  ): ReturnType<ThreadCalls[Name]> {
    const id = this.count++;
    const answer = new Promise<unknown>((resolve, reject) => {
      this.calls.set(id, { resolve, reject });
    });
    this.queue.push(() => {
      before?.();
      this.onTheWay.add(id);
      tell({ kind: 'call', id, name, args } as ThreadCall, transfer);
    });
    this.fill();
    return answer as ReturnType<ThreadCalls[Name]>;
  }

  hear(message: ToThread): void {
    this.onTheWay.delete(message.id);
    this.fill();
    if (message.kind === 'taken') return;
    const waiting = this.calls.get(message.id);
    this.calls.delete(message.id);
    if (message.kind === 'answer') waiting?.resolve(message.value);
    else waiting?.reject(errorOf(message.error));
  }

  private fill(): void {
    while (this.onTheWay.size < threadCallsOnTheWayMax) {
      const send = this.queue.shift();
      if (send === undefined) return;
      send();
    }
  }
}

function tell(message: FromThread, transfer: readonly ArrayBuffer[] = []): void {
  parentPort?.postMessage(message, transfer);
}

function environmentOf(
  caller: Caller,
  { tileSize, planConcurrency, isObserved }: Extract<ThreadStart, { kind: 'run' }>,
): JobEnvironment {
  const wire = new LayerWire();
  return {
    store: {
      committedTiles: (...args) => caller.call('committedTiles', args),
      commitResult: (...args) => caller.call('commitResult', args),
      readResult: (...args) => caller.call('readResult', args),
      dropResult: (...args) => caller.call('dropResult', args),
      // A run stores what it has just encoded and does not look at it again.
      putBlob: (bytes) => caller.call('putBlob', [bytes], { transfer: ownedBuffer(bytes) }),
      readBlob: (...args) => caller.call('readBlob', args),
    },
    ledger: {
      addJob: () => tell({ kind: 'add-job' }),
      addTile: (_job, { problem, problemDigest, tile }) =>
        caller.call('addTile', [problemDigest, wire.tile(tile)], { before: () => wire.tellLayer(problem) }),
      removeJob: () => tell({ kind: 'remove-job' }),
    },
    planSolver: slicedSolver(
      {
        concurrency: planConcurrency,
        solve: (problem, tile) => caller.call('solve', [withSharedArrays(problem), tile]),
      },
      probeNeuronsMax,
    ),
    ...(isObserved ? { tileObserver: () => observer(wire) } : {}),
    tileSize,
  };
}

/** Sends each layer once, and each tile's targets once. */
class LayerWire {
  private readonly tiles = new WeakMap<Tile, Tile>();
  private told: LayerProblem | undefined;

  tile(tile: Tile): Tile {
    const known = this.tiles.get(tile);
    if (known !== undefined) return known;
    const shared = { ...tile, ...withSharedArrays({ targets: tile.targets, biasTargets: tile.biasTargets }) };
    this.tiles.set(tile, shared);
    return shared;
  }

  tellLayer(problem: LayerProblem): void {
    if (this.told === problem) return;
    this.told = problem;
    tell({ kind: 'layer', problem: withSharedArrays(problem) });
  }
}

function observer(wire: LayerWire): TileObserver {
  tell({ kind: 'observed' });
  return {
    begun: (layer) => tell({ kind: 'begun', layer }),
    cut: (layer, tileIds) => tell({ kind: 'cut', layer, tileIds }),
    done: (layer, { problem, ...solved }) => {
      wire.tellLayer(problem);
      tell({ kind: 'done', layer, solved: { ...solved, tile: wire.tile(solved.tile) } });
    },
  };
}

async function textOf(start: ThreadStart): Promise<string> {
  if (start.kind === 'digest') return networkDigest(decodeNetwork(start.network));
  const caller = new Caller();
  parentPort?.on('message', (message: ToThread) => caller.hear(message));
  const { job, priority, request, verifyThreads } = start;
  return runJob(
    { ...environmentOf(caller, start), verifier: threadVerifier({ threads: verifyThreads }) },
    {
      job,
      priority,
      request: decodeJobRequest(request),
      // An interrupted job's thread is ended.
      signal: new AbortController().signal,
      onProgress: (phase, progress) => tell({ kind: 'progress', phase, progress }),
    },
  );
}

textOf(workerData as ThreadStart).then(
  (text) => tell({ kind: 'ended', text }),
  (error: unknown) => tell({ kind: 'failed', error: plainError(error) }),
);
