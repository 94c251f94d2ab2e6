/**
 * Where tile results survive a restart: a LevelDB directory on this machine, or memory. The key is the tile's id, a hash of
 * everything that the result depends on, so a store may be shared by any number of searches, one process at a time.
 */
import { ClassicLevel } from 'classic-level';
import { failure, misuse, type TombolaError } from '../../src/core/errors.ts';
import { decodeTileResult, encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { TileStore } from '../construct.ts';

/** A store that somebody has to close. */
export interface OpenTileStore extends TileStore {
  /** Waits for what is being written and gives the directory free. Idempotent. */
  close(): Promise<void>;
}

/**
 * Returns the store in a directory, which is made if it is not there. A result is on the disk when its write resolves; one
 * that was damaged there counts as absent.
 * @throws TombolaError (misuse) when another process, or this one, has the store open; (failure) when the directory cannot be
 * used. Reading and writing throw TombolaError (failure) when the disk is full or fails.
 */
export async function openTileStore(directory: string): Promise<OpenTileStore> {
  const level = new ClassicLevel<string, Uint8Array>(directory, {
    keyEncoding: 'utf8',
    valueEncoding: 'view',
  });
  try {
    await level.open();
  } catch (error) {
    throw openingError(directory, error);
  }
  return {
    read: async (tileId) => {
      const bytes = await readBytes(level, tileId);
      return bytes === undefined ? undefined : resultOf(bytes, tileId);
    },
    write: async (result) => {
      try {
        await level.put(result.tileId, encodeTileResult(result), { sync: true });
      } catch (error) {
        throw failure(
          `Cannot write a result to the store ${directory}: ${reasonOf(error)}, expected a disk with free space; make room and start again, what was written is kept`,
          error,
        );
      }
    },
    close: () => level.close(),
  };
}

/** Returns a store that forgets everything with the process. */
export function memoryTileStore(): OpenTileStore {
  const values = new Map<string, Uint8Array>();
  let isOpen = true;
  const checkOpen = (): void => {
    if (!isOpen) throw failure('Cannot use the store in memory: it is closed, expected an open one');
  };
  return {
    read: async (tileId) => {
      checkOpen();
      const bytes = values.get(tileId);
      return bytes === undefined ? undefined : resultOf(bytes, tileId);
    },
    write: async (result) => {
      checkOpen();
      values.set(result.tileId, encodeTileResult(result));
    },
    close: async () => {
      isOpen = false;
    },
  };
}

/** A value under another tile's key is as good as none. */
function resultOf(bytes: Uint8Array, tileId: string): ReturnType<typeof decodeTileResult> {
  const result = decodeTileResult(bytes);
  return result?.tileId === tileId ? result : undefined;
}

/** LevelDB's own checksums find damage too; then the tile is solved and written once more. */
async function readBytes(
  level: ClassicLevel<string, Uint8Array>,
  tileId: string,
): Promise<Uint8Array | undefined> {
  try {
    return await level.get(tileId);
  } catch (error) {
    if (codeOf(error) === 'LEVEL_CORRUPTION') return undefined;
    throw failure(
      `Cannot read the store ${level.location}: ${reasonOf(error)}, expected a disk that works`,
      error,
    );
  }
}

function openingError(directory: string, error: unknown): TombolaError {
  const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
  if (codeOf(cause) === 'LEVEL_LOCKED')
    return misuse(
      `Cannot open the store ${directory}: it is in use by another process, expected one search per directory; wait for it or name another directory`,
      error,
    );
  if (codeOf(cause) === 'LEVEL_CORRUPTION')
    return failure(
      `Cannot open the store ${directory}: ${reasonOf(cause)}, expected an undamaged store; delete the directory, its tiles are then solved again`,
      error,
    );
  return failure(
    `Cannot open the store ${directory}: ${reasonOf(cause)}, expected a directory that can be written to`,
    error,
  );
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Error && 'code' in error ? String(error.code) : undefined;
}

/** The first line of what went wrong. */
function reasonOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split('\n')[0] ?? text;
}
