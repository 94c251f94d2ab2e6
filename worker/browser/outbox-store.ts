/**
 * Results that no gateway has acknowledged, in IndexedDB: a page that was closed or loaded again hands them in then. Where a browser
 * keeps nothing (a private window, a full disk) all goes on without.
 */
import { tileNameCountMax } from '../../src/core/limits.ts';
import type { Result } from '../../src/core/protocol/messages.ts';
import { isWorkerMessage } from '../../src/core/protocol/schema.ts';

/** The stored results of one origin; tabs share them, and a result handed in twice does no harm. */
export interface OutboxStore {
  /** Returns what earlier pages have left. */
  read(): Promise<readonly Result[]>;
  /** Makes the store hold these results instead of those of the call before, by their keys. */
  keep(results: ReadonlyMap<string, { readonly message: Result }>): void;
  close(): void;
}

const storeName = 'results';

/** Returns the store; one that holds nothing where there is no IndexedDB. */
export async function openOutboxStore(): Promise<OutboxStore> {
  try {
    return storeOn(await openDatabase());
  } catch {
    return { read: () => Promise.resolve([]), keep: () => undefined, close: () => undefined };
  }
}

function storeOn(database: IDBDatabase): OutboxStore {
  const kept = new Set<string>();
  let isOpen = true;
  // A browser may take a database away: its site's data is cleared, or its disk fails.
  database.onclose = () => {
    isOpen = false;
  };
  const openStore = (): IDBObjectStore | undefined => {
    try {
      return isOpen ? database.transaction(storeName, 'readwrite').objectStore(storeName) : undefined;
    } catch {
      isOpen = false;
      return undefined;
    }
  };
  return {
    read: async () => {
      const store = openStore();
      if (store === undefined) return [];
      const [keys, values] = await Promise.all([
        settled(store.getAllKeys(null, tileNameCountMax)),
        settled(store.getAll(null, tileNameCountMax)),
      ]);
      const results = values.filter(isResult);
      for (const { job, tile } of results) kept.add(`${job}/${tile}`);
      const unreadable = keys.filter((key) => !kept.has(String(key)));
      // Not the store from before, whose transaction may be over by now.
      for (const key of unreadable) openStore()?.delete(key);
      return results;
    },
    keep: (results) => {
      const gone = [...kept].filter((key) => !results.has(key));
      const fresh = [...results].filter(([key]) => !kept.has(key));
      if (gone.length === 0 && fresh.length === 0) return;
      const store = openStore();
      if (store === undefined) return;
      for (const key of gone) {
        store.delete(key);
        kept.delete(key);
      }
      for (const [key, { message }] of fresh) {
        store.put(message, key);
        kept.add(key);
      }
    },
    close: () => database.close(),
  };
}

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open('tombola', 1);
  request.onupgradeneeded = () => request.result.createObjectStore(storeName);
  return settled(request);
}

function settled<Value>(request: IDBRequest<Value>): Promise<Value> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('IndexedDB fails'));
  });
}

/** What another version of the page has left may be anything. */
function isResult(value: unknown): value is Result {
  return isWorkerMessage(value) && value.kind === 'result';
}
