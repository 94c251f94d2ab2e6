/**
 * The keys of access tokens, where coordinators share an engine: a text (src/cli/remote/stored-keys.ts) in the cell
 * `keys.access`. Whoever changes it has to have seen its latest version.
 */
import { failure } from '../../src/core/errors.ts';
import { type Cell, openCells } from '../engine/nats/cells.ts';
import { openNatsLink, parseNatsAddress } from '../engine/nats/connection.ts';
import { stateBucket } from './cluster.ts';

/** The text that is shared. Whoever opens it closes it. */
export interface SharedKeys {
  /** '' where there is none yet. Remembers the version for the next `write`. */
  read(): Promise<string>;
  /** Returns false where somebody else has changed it since it was read. */
  write(text: string): Promise<boolean>;
  /** Calls back with the text and with each new one. Returns how to stop. */
  watch(onChange: (text: string) => void): Promise<() => void>;
  close(): Promise<void>;
}

const key = 'keys.access';

/** Returns the shared text of an engine. @throws TombolaError when the engine cannot be used. */
export async function openSharedKeys(options: {
  readonly address: string;
  readonly replicas: number;
  /** Told why watching begins anew. */
  readonly onTrouble?: (reason: string) => void;
}): Promise<SharedKeys> {
  const link = await openNatsLink(parseNatsAddress(options.address));
  try {
    const { replicas, onTrouble = () => undefined } = options;
    const cells = await openCells(link, { bucket: stateBucket, replicas, onTrouble });
    let revision = 0;
    const textOf = (cell: Cell | undefined): string => new TextDecoder().decode(cell?.value);
    return {
      read: async () => {
        const cell = await cells.read(key);
        revision = cell?.revision ?? 0;
        return textOf(cell);
      },
      write: async (text) => (await cells.set(key, new TextEncoder().encode(text), revision)) !== null,
      watch: (onChange) => cells.watch(key, (_, cell) => onChange(textOf(cell ?? undefined))),
      close: () => link.close(),
    };
  } catch (error) {
    await link.close();
    throw error;
  }
}

/** Returns the error for whoever was second. */
export function keysConflict(): Error {
  return failure('Cannot change the keys: somebody else has changed them at the same time; try again');
}
