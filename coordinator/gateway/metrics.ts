/** What the coordinator tells Prometheus, and how its parts report it. */
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { Counter, Gauge, Histogram, Registry } from 'prom-client';

/** What a ledger's shell reports. */
export interface ShellObserver {
  received(sizeBytes: number): void;
  acknowledged(outcome: 'new' | 'duplicate'): void;
  refused(code: string): void;
  settled(fate: 'done' | 'dead' | 'removed'): void;
  /** Starts a timer; call what it returns at the end. */
  timeCheck(): () => void;
  timeCommit(): () => void;
}

/** Figures read when somebody asks for them. */
export interface MetricsSource {
  tilesByState(): Readonly<Record<string, number>>;
  sessionCount(): number;
  jobsByState(): Readonly<Record<string, number>>;
}

/** The coordinator's metrics. */
export interface Metrics extends ShellObserver {
  connected(outcome: string): void;
  /** Returns the text for Prometheus. */
  text(source: MetricsSource): Promise<string>;
  readonly contentType: string;
  close(): void;
}

/** An observer of a search on one machine, which has its own progress. */
export const silentObserver: ShellObserver = {
  received: () => undefined,
  acknowledged: () => undefined,
  refused: () => undefined,
  settled: () => undefined,
  timeCheck: () => () => undefined,
  timeCommit: () => () => undefined,
};

const seconds = [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10];

/** Returns metrics of their own, so that several coordinators in one process do not mix. */
export function openMetrics(): Metrics {
  const registers = [new Registry()];
  const [registry] = registers;
  const counter = (name: string, help: string, labelNames: string[] = []): Counter =>
    new Counter({ name: `tombola_${name}`, help, labelNames, registers });
  const gauge = (name: string, help: string, labelNames: string[] = []): Gauge =>
    new Gauge({ name: `tombola_${name}`, help, labelNames, registers });
  const results = counter('results_total', 'Results acknowledged, by outcome', ['outcome']);
  const resultBytes = counter('result_bytes_total', 'Bytes of results received');
  const refusals = counter('refusals_total', 'Results refused, by code', ['code']);
  const settled = counter('tiles_settled_total', 'Tiles that are done with, by fate', ['fate']);
  const connections = counter('connections_total', 'Connections, by what became of them', ['outcome']);
  const tiles = gauge('tiles', 'Tiles asked for, by state', ['state']);
  const jobs = gauge('jobs', 'Jobs, by state', ['state']);
  const sessions = gauge('sessions', 'Workers connected');
  const loopDelay = gauge('event_loop_delay_seconds', 'Delay of the event loop since the last time asked', [
    'quantile',
  ]);
  const checks = new Histogram({
    name: 'tombola_verify_seconds',
    help: 'From a result to its verdict, waiting included',
    buckets: seconds,
    registers,
  });
  const commits = new Histogram({
    name: 'tombola_commit_seconds',
    help: 'From a verdict to a durable result',
    buckets: seconds,
    registers,
  });
  const delay = monitorEventLoopDelay({ resolution: 10 });
  delay.enable();
  return {
    received: (sizeBytes) => resultBytes.inc(sizeBytes),
    acknowledged: (outcome) => results.inc({ outcome }),
    refused: (code) => refusals.inc({ code }),
    settled: (fate) => settled.inc({ fate }),
    connected: (outcome) => connections.inc({ outcome }),
    timeCheck: () => checks.startTimer(),
    timeCommit: () => commits.startTimer(),
    contentType: registry?.contentType ?? 'text/plain',
    text: async (source) => {
      setAll(tiles, source.tilesByState());
      setAll(jobs, source.jobsByState());
      sessions.set(source.sessionCount());
      for (const quantile of [50, 99])
        loopDelay.set({ quantile: quantile / 100 }, delay.percentile(quantile) / 1e9);
      delay.reset();
      return (await registry?.metrics()) ?? '';
    },
    close: () => {
      delay.disable();
    },
  };
}

function setAll(gauge: Gauge, values: Readonly<Record<string, number>>): void {
  for (const [state, value] of Object.entries(values)) gauge.set({ state }, value);
}
