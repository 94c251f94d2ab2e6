/**
 * Committers race to commit the same tiles to three NATS servers that are killed meanwhile: the leader, each in turn, two of three,
 * all. Whatever a committer was told is durable has to be there in the end, once.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import type { Engine } from '../../../coordinator/engine/engine.ts';
import { resultStreamName, resultSubject } from '../../../coordinator/engine/nats/result-stream.ts';
import { openNatsEngineAt } from '../../support/nats-place.ts';
import { type NatsServers, startNats } from '../../support/nats-servers.ts';

/** What came of it. */
export interface CommitReport {
  readonly tiles: number;
  readonly acknowledged: number;
  readonly duplicates: number;
  readonly retried: number;
  readonly lost: number;
  readonly kills: number;
  readonly seconds: number;
  /** Longest time in which nothing was committed. */
  readonly stallSeconds: number;
}

const job = 'chaos';
const atATime = 64;
const valueBytes = 2000;
const downMs = 2000;
/** What a commit of the harness takes that does not wait for answers. */
const hastyMs = 50;

/** Commits so many tiles from so many committers, two for each tile; throws when one is lost, doubled or another's. */
export async function raceCommits(options: {
  tiles: number;
  committers: number;
  onStep: (text: string) => void;
}): Promise<CommitReport> {
  const nats = await startNats(3);
  const engines: Engine[] = [];
  try {
    for (let index = 0; index < options.committers; index++)
      engines.push(await openNatsEngineAt(nats.url, 3));
    const race = new Race(engines, options.tiles);
    const startMs = performance.now();
    const kills = await runWhileKilling(race, { nats, onStep: options.onStep });
    const seconds = (performance.now() - startMs) / 1000;
    const lost = await race.check(engines[0] ?? engineMissing());
    if (lost > 0)
      throw new Error(`LOST: ${lost} of ${options.tiles} acknowledged tiles are not in the store`);
    const { acknowledged, duplicates, retried, stallMs } = race;
    return {
      tiles: options.tiles,
      acknowledged,
      duplicates,
      retried,
      lost,
      kills,
      seconds,
      stallSeconds: stallMs / 1000,
    };
  } finally {
    await Promise.all(engines.map((engine) => engine.close().catch(() => undefined)));
    await nats.close();
  }
}

/** The same with a harness that believes a commit before it is confirmed; throws unless that is caught losing results. */
export async function raceUnconfirmed(options: {
  tiles: number;
  onStep: (text: string) => void;
}): Promise<CommitReport> {
  const nats = await startNats(3);
  const engine = await openNatsEngineAt(nats.url, 3);
  const connection = await connect({
    servers: nats.url.replace('nats://', '').split(','),
    maxReconnectAttempts: -1,
    reconnectTimeWait: 200,
  });
  const client = jetstream(connection, { timeout: 2000 });
  const hasty: Engine = {
    ...engine,
    commitResult: async (_job, tile, value) => {
      // The bug: nobody waits for the answer.
      client
        .publish(resultSubject(job, tile), value, { expect: { lastSubjectSequence: 0 } })
        .catch(() => undefined);
      await delay(hastyMs);
      return 'new';
    },
  };
  try {
    const race = new Race([hasty], options.tiles);
    const startMs = performance.now();
    const kills = await runWhileKilling(race, { nats, onStep: options.onStep });
    const lost = await race.check(engine);
    if (lost === 0) throw new Error('NOT CAUGHT: a harness that acknowledges too early has lost nothing');
    const { acknowledged, duplicates, retried, stallMs } = race;
    const seconds = (performance.now() - startMs) / 1000;
    const { tiles } = options;
    return { tiles, acknowledged, duplicates, retried, lost, kills, seconds, stallSeconds: stallMs / 1000 };
  } finally {
    await connection.close();
    await engine.close();
    await nats.close();
  }
}

/** Tiles that are committed by two committers each, and what these were told. */
class Race {
  acknowledged = 0;
  duplicates = 0;
  retried = 0;
  stallMs = 0;
  isOver = false;
  /** Who was told `new` for a tile. */
  private readonly winners = new Map<number, number>();
  private readonly engines: readonly Engine[];
  private readonly tiles: number;
  private next = 0;
  private lastMs = performance.now();

  constructor(engines: readonly Engine[], tiles: number) {
    this.engines = engines;
    this.tiles = tiles;
  }

  async run(): Promise<void> {
    const lane = async (): Promise<void> => {
      while (this.next < this.tiles) {
        const tile = this.next++;
        const first = tile % this.engines.length;
        const second = (tile + 1) % this.engines.length;
        await Promise.all([...new Set([first, second])].map((by) => this.commit(tile, by)));
      }
    };
    await Promise.all(Array.from({ length: atATime }, lane));
    this.isOver = true;
  }

  /** Returns how many acknowledged tiles are missing; throws where one is another's. */
  async check(engine: Engine): Promise<number> {
    const found = await patiently(() => engine.committedTiles(job));
    let lost = 0;
    for (let tile = 0; tile < this.tiles; tile++) {
      if (!found.has(`t${tile}`)) {
        lost++;
        continue;
      }
      const winner = this.winners.get(tile);
      const isRead = tile % 10 === 0;
      const value = isRead ? await patiently(() => engine.readResult(job, `t${tile}`)) : undefined;
      if (isRead && value === undefined) lost++;
      else if (value !== undefined && winner !== undefined && value[0] !== winner)
        throw new Error(
          `WRONG: tile ${tile} has the result of ${value[0]}, and ${winner} was told it is new`,
        );
    }
    if (found.size > this.tiles) throw new Error(`WRONG: ${found.size} tiles, expected ${this.tiles}`);
    return lost;
  }

  private async commit(tile: number, by: number): Promise<void> {
    const value = new Uint8Array(valueBytes).fill(tile & 255);
    value[0] = by;
    for (;;) {
      try {
        const outcome = await this.engines[by]?.commitResult(job, `t${tile}`, value);
        if (outcome === 'new' && this.winners.has(tile))
          throw new Error(`WRONG: tile ${tile} was new for ${this.winners.get(tile)} and for ${by}`);
        if (outcome === 'new') this.winners.set(tile, by);
        else this.duplicates++;
        this.acknowledged++;
        this.stallMs = Math.max(this.stallMs, performance.now() - this.lastMs);
        this.lastMs = performance.now();
        return;
      } catch (error) {
        if (error instanceof Error && error.message.startsWith('WRONG')) throw error;
        this.retried++;
      }
    }
  }
}

/** Runs the race, and kills while it goes on: leader, each, two, all, and again; returns how many kills there were. */
async function runWhileKilling(
  race: Race,
  { nats, onStep }: { nats: NatsServers; onStep: (text: string) => void },
): Promise<number> {
  const { servers } = nats;
  let kills = 0;
  let leader = await leaderOf(nats);
  const running = race.run();
  for (let round = 0; !race.isOver; round++) {
    const plans = [
      [servers.findIndex(({ name }) => name === leader)],
      [round % 3],
      [(round + 1) % 3],
      [(round + 2) % 3],
      [round % 3, (round + 1) % 3],
      [0, 1, 2],
    ];
    const victims = (plans[round % plans.length] ?? [])
      .map((index) => servers[index])
      .filter((one) => one !== undefined);
    onStep(`${race.acknowledged} acknowledged; kill ${victims.map(({ name }) => name).join(', ')}`);
    await Promise.all(victims.map((server) => server.kill()));
    kills += victims.length;
    await delay(downMs);
    await Promise.all(victims.map((server) => server.start()));
    await nats.ready();
    const before = race.acknowledged;
    for (let waited = 0; race.acknowledged < before + 300 && !race.isOver && waited < 100; waited++)
      await delay(100);
    leader = await leaderOf(nats);
  }
  await running;
  return kills;
}

async function leaderOf(nats: NatsServers): Promise<string | undefined> {
  const connection = await connect({ servers: nats.url.replace('nats://', '').split(','), timeout: 5000 });
  try {
    const manager = await jetstreamManager(connection);
    return (await manager.streams.info(resultStreamName)).cluster?.leader;
  } catch {
    return undefined;
  } finally {
    await connection.close();
  }
}

/** After the last kill it takes the servers a while to find each other. */
async function patiently<T>(step: () => Promise<T>): Promise<T> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await step();
    } catch (error) {
      if (attempt === 20) throw error;
      await delay(1000);
    }
  }
}

function engineMissing(): never {
  throw new Error('there is at least one committer');
}
