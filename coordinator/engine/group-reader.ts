/**
 * Reads of a record store, gathered: a call into LevelDB costs 50 µs of the caller's thread, whether it asks for one key or for
 * many. While one group is being read the next one gathers, so a lone read waits for nothing.
 */
import { engineGroupReadsMax } from '../../src/core/limits.ts';
import type { RecordStore } from './group-writer.ts';

interface Waiting {
  readonly key: string;
  readonly resolve: (record: Uint8Array | undefined) => void;
  readonly reject: (reason: unknown) => void;
}

/** Gathers the reads of one store. */
export class GroupReader {
  private readonly store: Pick<RecordStore, 'read'>;
  private waiting: Waiting[] = [];
  private isRunning = false;

  constructor(store: Pick<RecordStore, 'read'>) {
    this.store = store;
  }

  /** Returns the record under the key. */
  read(key: string): Promise<Uint8Array | undefined> {
    return new Promise((resolve, reject) => {
      this.waiting.push({ key, resolve, reject });
      if (!this.isRunning) void this.run();
    });
  }

  /** Never rejects. */
  private async run(): Promise<void> {
    this.isRunning = true;
    // A turn of the microtask queue, so that reads asked for together go together.
    await Promise.resolve();
    while (this.waiting.length > 0) {
      const group = this.waiting.splice(0, engineGroupReadsMax);
      try {
        const records = await this.store.read(group.map(({ key }) => key));
        group.forEach(({ resolve }, index) => {
          resolve(records[index]);
        });
      } catch (error) {
        for (const { reject } of group) reject(error);
      }
    }
    this.isRunning = false;
  }
}
