/** The page's solvers: one thread per core that it may use, as many as the person at the page says, while they work. */
import type { LayerProblem, Tile } from '../../src/core/plan/tile.ts';
import type { SolvedBody, TileAtWork } from '../session-shell.ts';
import type { SolverOrder, SolverReport } from './thread-messages.ts';
import { startSolverThread } from './threads.ts';

/** Threads to solve with. Whoever opens them closes them. */
export interface SolverThreads {
  /** Resolves with the kernel's digest when all first threads have passed their self-test; rejects when one fails. */
  readonly ready: Promise<string>;
  /** Resolves with the reason when the last thread has crashed; never when they are closed. */
  readonly lost: Promise<string>;
  /** Solves a tile on the next free thread, first come, first served. */
  solve(problem: LayerProblem, tile: Tile): TileAtWork;
  /** From now on so many threads; what one that goes was at is solved by another. */
  setCount(count: number): void;
  /** Share of the time to work, in (0, 1]. */
  setDuty(duty: number): void;
  /** Ends all threads, within a slice of what they are at; tiles that are not done are rejected. Idempotent. */
  close(): void;
}

interface Task {
  readonly id: number;
  readonly problem: LayerProblem;
  readonly tile: Tile;
  readonly resolve: (solved: SolvedBody) => void;
  readonly reject: (error: Error) => void;
}

interface Thread {
  readonly worker: Worker;
  isReady: boolean;
  task: Task | undefined;
  /** The layer it was given last: a tile of the same one comes without. */
  layer: LayerProblem | undefined;
}

/** Returns `count` threads that test themselves. */
export function openSolverThreads(options: { readonly count: number; readonly duty: number }): SolverThreads {
  const threads = new Threads(options.duty);
  threads.setCount(options.count);
  return {
    ready: threads.ready,
    lost: threads.lost,
    solve: (problem, tile) => threads.solve(problem, tile),
    setCount: (count) => threads.setCount(count),
    setDuty: (duty) => threads.setDuty(duty),
    close: () => threads.close(),
  };
}

class Threads {
  readonly ready: Promise<string>;
  readonly lost: Promise<string>;
  private readonly all = new Set<Thread>();
  private readonly queue: Task[] = [];
  private duty: number;
  private taskCount = 0;
  private isClosed = false;
  private settleLost: (reason: string) => void = () => undefined;
  private settleReady: { resolve: (digest: string) => void; reject: (error: Error) => void } | undefined;

  constructor(duty: number) {
    this.duty = duty;
    this.ready = new Promise((resolve, reject) => {
      this.settleReady = { resolve, reject };
    });
    this.lost = new Promise((resolve) => {
      this.settleLost = resolve;
    });
    // Whoever does not wait for it need not hear that it failed.
    this.ready.catch(() => undefined);
  }

  solve(problem: LayerProblem, tile: Tile): TileAtWork {
    if (this.all.size === 0)
      return { solved: Promise.reject(new Error('no solver is left')), cancel: () => undefined };
    const id = this.taskCount++;
    const solved = new Promise<SolvedBody>((resolve, reject) => {
      this.queue.push({ id, problem, tile, resolve, reject });
    });
    this.assign();
    return { solved, cancel: () => this.cancel(id) };
  }

  setCount(count: number): void {
    if (this.isClosed) return;
    while (this.all.size < count) this.start();
    // Idle ones go first.
    const going = [...this.all].sort((a, b) => Number(a.task !== undefined) - Number(b.task !== undefined));
    for (const thread of going.slice(0, this.all.size - count)) this.end(thread);
    this.assign();
  }

  setDuty(duty: number): void {
    this.duty = duty;
    for (const { worker } of this.all) tell(worker, { kind: 'duty', duty });
  }

  close(): void {
    if (this.isClosed) return;
    this.isClosed = true;
    const stopped = new Error('the solver was stopped');
    for (const thread of this.all) {
      thread.worker.terminate();
      thread.task?.reject(stopped);
    }
    this.all.clear();
    for (const { reject } of this.queue.splice(0)) reject(stopped);
    this.settleReady?.reject(stopped);
  }

  private start(): void {
    const thread: Thread = { worker: startSolverThread(), isReady: false, task: undefined, layer: undefined };
    this.all.add(thread);
    tell(thread.worker, { kind: 'duty', duty: this.duty });
    thread.worker.onmessage = ({ data }: MessageEvent<SolverReport>) => this.hear(thread, data);
    thread.worker.onerror = (event) => {
      event.preventDefault();
      this.lose(thread, event.message || 'a solver could not be loaded');
    };
  }

  private end(thread: Thread): void {
    thread.worker.terminate();
    this.all.delete(thread);
    if (thread.task !== undefined) this.queue.unshift(thread.task);
  }

  private hear(thread: Thread, report: SolverReport): void {
    if (!this.all.has(thread)) return;
    switch (report.kind) {
      case 'ready':
        thread.isReady = true;
        if ([...this.all].every(({ isReady }) => isReady)) this.settleReady?.resolve(report.digest);
        break;
      case 'unfit':
        this.lose(thread, report.reason);
        break;
      case 'solved':
        this.take(thread, report.id)?.resolve({ body: report.body, computeMs: report.computeMs });
        break;
      case 'failed':
        this.take(thread, report.id)?.reject(new Error(report.reason));
        break;
    }
    this.assign();
  }

  /** A thread that is not fit, or has crashed, gets no more to do; without any left nothing can be solved. */
  private lose(thread: Thread, reason: string): void {
    this.all.delete(thread);
    thread.worker.terminate();
    const error = new Error(reason);
    thread.task?.reject(error);
    this.settleReady?.reject(error);
    if (this.all.size > 0) return;
    for (const { reject } of this.queue.splice(0)) reject(error);
    this.settleLost(reason);
  }

  private take(thread: Thread, id: number): Task | undefined {
    const { task } = thread;
    if (task?.id !== id) return undefined;
    thread.task = undefined;
    return task;
  }

  private cancel(id: number): void {
    const waiting = this.queue.findIndex((task) => task.id === id);
    if (waiting >= 0) this.queue.splice(waiting, 1)[0]?.reject(new Error('cancelled'));
    for (const { task, worker } of this.all) if (task?.id === id) tell(worker, { kind: 'cancel', id });
  }

  private assign(): void {
    for (const thread of this.all) {
      if (!thread.isReady || thread.task !== undefined) continue;
      const task = this.queue.shift();
      if (task === undefined) return;
      const { id, problem, tile } = task;
      thread.task = task;
      tell(thread.worker, { kind: 'solve', id, problem: thread.layer === problem ? null : problem, tile });
      thread.layer = problem;
    }
  }
}

function tell(worker: Worker, order: SolverOrder): void {
  worker.postMessage(order);
}
