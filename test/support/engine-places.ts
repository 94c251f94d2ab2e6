/** Places that the engines' contract suite opens engines on. */
import { mkdtempSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ClassicLevel } from 'classic-level';
import type { Engine } from '../../coordinator/engine/engine.ts';
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';
import { memoryDisk, memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { changeNatsRecord, clearNats, damageNatsBlob, openNatsEngineAt } from './nats-place.ts';
import { type NatsServers, startNats } from './nats-servers.ts';
import { until } from './until.ts';

const folders: string[] = [];
let nats: NatsServers | undefined;

/** A place that engines are opened on, one after the other, and whose bytes a test may change while it is closed. */
export interface Place {
  readonly name: string;
  /** Whether several engines may be open on it at a time. */
  readonly isShared: boolean;
  /** Results of the test of many: what the place takes in some seconds. */
  readonly manyResults: number;
  open(): Promise<Engine>;
  changeRecord(key: string, change: (record: Uint8Array) => Uint8Array): Promise<void>;
  damageBlob(sha256: string): Promise<void>;
}

/** Returns a new folder. */
export function onDisk(): Place {
  const folder = mkdtempSync(join(tmpdir(), 'tombola-engine-'));
  folders.push(folder);
  const directory = join(folder, 'new', 'data');
  return {
    name: directory,
    isShared: false,
    manyResults: 100_000,
    open: () => openLocalEngine(directory),
    changeRecord: async (key, change) => {
      const level = new ClassicLevel<string, Uint8Array>(join(directory, 'level'), { valueEncoding: 'view' });
      await level.put(key, change((await level.get(key)) ?? new Uint8Array(0)));
      await level.close();
    },
    damageBlob: (sha256) => writeFile(join(directory, 'blobs', sha256), 'something else'),
  };
}

/** Returns a new disk in memory. */
export function inMemory(): Place {
  const disk = memoryDisk();
  return {
    name: 'in memory',
    isShared: false,
    manyResults: 100_000,
    open: async () => memoryEngine({ disk }),
    changeRecord: async (key, change) => {
      disk.records.set(key, change(disk.records.get(key) ?? new Uint8Array(0)));
    },
    damageBlob: async (sha256) => {
      disk.blobs.set(sha256, Uint8Array.of(1));
    },
  };
}

/** Returns one server for all, emptied when it is first opened. */
export function onNats(): Place {
  let cleared: Promise<void> | undefined;
  const url = async (): Promise<string> => {
    nats ??= await startNats(1);
    cleared ??= clearNats(nats.url);
    await cleared;
    return nats.url;
  };
  return {
    name: 'NATS',
    isShared: true,
    manyResults: 3000,
    open: async () => openedAt(await url()),
    changeRecord: async (key, change) => changeNatsRecord(await url(), key, change),
    damageBlob: async (sha256) => damageNatsBlob(await url(), sha256),
  };
}

/** A server that is at work on removing a stream's files refuses for a moment to make another one of its name. */
async function openedAt(url: string): Promise<Engine> {
  let engine: Engine | undefined;
  await until(async () => {
    engine = await openNatsEngineAt(url, 1).catch((error: Error) => {
      if (error.message.includes('error creating store')) return undefined;
      throw error;
    });
    return engine !== undefined;
  });
  return engine as Engine;
}

/** Removes what all places have left. */
export async function closePlaces(): Promise<void> {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  await nats?.close();
}
