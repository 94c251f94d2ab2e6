/** The keys of coordinators that share an engine: they are kept in it, and in memory. */
import { checkEngine } from '../../../coordinator/cluster/cluster.ts';
import { keysConflict, openSharedKeys, type SharedKeys } from '../../../coordinator/cluster/shared-keys.ts';
import { reasonOf } from '../../../coordinator/reason-of.ts';
import type { TokenKeys } from '../../../coordinator/tokens.ts';
import { failure } from '../../core/errors.ts';
import type { EngineOptions } from './engine-options.ts';
import {
  firstKeys,
  followingKeys,
  keysTextOf,
  readKeysText,
  type StoredKeys,
  validKeys,
} from './stored-keys.ts';

/** Keys that follow the engine's. Whoever opens them closes them. */
export interface EngineKeys {
  /** Null where the engine had none. */
  readonly keys: TokenKeys | null;
  close(): Promise<void>;
}

/**
 * Returns the engine's keys, which are made first if they have to be there. Where they cannot be read any more, they stay as they were
 * and `onTrouble` is told why.
 * @throws TombolaError (misuse) when the engine cannot be relied on: before anything is written to it; (failure) when they are damaged.
 */
export async function followSharedKeys(
  options: EngineOptions,
  { isNeeded, onTrouble }: { readonly isNeeded: boolean; readonly onTrouble: (reason: string) => void },
): Promise<EngineKeys> {
  await checkEngine(options, onTrouble);
  const shared = await openSharedKeys({ ...options, onTrouble });
  try {
    const first = isNeeded ? await madeKeys(shared) : keysOf(await shared.read());
    if (first === undefined) return { keys: null, close: () => shared.close() };
    let latest = first;
    const stop = await shared.watch((text) => {
      try {
        latest = keysOf(text) ?? latest;
      } catch (error) {
        onTrouble(reasonOf(error));
      }
    });
    return {
      keys: followingKeys(() => validKeys(latest)),
      close: async () => {
        stop();
        await shared.close();
      },
    };
  } catch (error) {
    await shared.close();
    throw error;
  }
}

/**
 * Returns the engine's keys after a change, once they are in the engine; one that returns what it was given changes nothing.
 * @throws TombolaError (failure) when somebody else changes them at the same time, or they are damaged.
 */
export async function changeSharedKeys(
  options: EngineOptions,
  change: (keys: StoredKeys | undefined) => StoredKeys,
): Promise<TokenKeys> {
  const shared = await openSharedKeys(options);
  try {
    const before = keysOf(await shared.read());
    const after = change(before);
    if (after !== before && !(await shared.write(keysTextOf(after)))) throw keysConflict();
    return validKeys(after);
  } finally {
    await shared.close();
  }
}

/** Of several coordinators that make the first keys at a time one is the first, and the others take its. */
async function madeKeys(shared: SharedKeys): Promise<StoredKeys | undefined> {
  const known = keysOf(await shared.read());
  if (known !== undefined) return known;
  const fresh = firstKeys();
  return (await shared.write(keysTextOf(fresh))) ? fresh : keysOf(await shared.read());
}

function keysOf(text: string): StoredKeys | undefined {
  if (text === '') return undefined;
  try {
    return readKeysText(text);
  } catch (cause) {
    throw failure(
      'Cannot read the keys in the engine: they are damaged, expected those that tombola token makes; restore them, or delete them, which ends all tokens',
      cause,
    );
  }
}
