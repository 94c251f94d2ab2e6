/**
 * The keys of coordinators that share an engine, in a folder of our own: it holds the keys file (token-keys-file.ts) as the engine has
 * it at the moment, so that whatever reads or changes keys need not know where they are kept.
 */
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { checkEngine } from '../../../coordinator/cluster/cluster.ts';
import { keysConflict, openSharedKeys, type SharedKeys } from '../../../coordinator/cluster/shared-keys.ts';
import { systemErrorCode } from '../read-input-file.ts';
import type { EngineOptions } from './engine-options.ts';
import { keysFileName, makeTokenKeys } from './token-keys-file.ts';

/** The folder. Whoever opens it closes it, which removes the folder. */
export interface KeysFolder {
  readonly directory: string;
  close(): Promise<void>;
}

/**
 * Returns a folder that follows the engine's keys, which are made first if they have to be there.
 * @throws TombolaError (misuse) when the engine cannot be relied on: before anything is written to it.
 */
export async function followSharedKeys(
  options: EngineOptions,
  { isNeeded, onTrouble }: { readonly isNeeded: boolean; readonly onTrouble: (reason: string) => void },
): Promise<KeysFolder> {
  await checkEngine(options, onTrouble);
  const shared = await openSharedKeys({ ...options, onTrouble });
  const directory = mkdtempSync(join(tmpdir(), 'tombola-keys-'));
  try {
    if (isNeeded) await makeShared(shared, directory);
    else writeKeys(directory, await shared.read());
    const stop = await shared.watch((text) => writeKeys(directory, text));
    return {
      directory,
      close: async () => {
        stop();
        await shared.close();
        rmSync(directory, { recursive: true, force: true });
      },
    };
  } catch (error) {
    await shared.close();
    rmSync(directory, { recursive: true, force: true });
    throw error;
  }
}

/** Lets a step read and change the engine's keys in a folder; what it has changed is in the engine when this resolves. */
export async function withSharedKeys<T>(options: EngineOptions, step: (directory: string) => T): Promise<T> {
  const shared = await openSharedKeys(options);
  const directory = mkdtempSync(join(tmpdir(), 'tombola-keys-'));
  try {
    const before = await shared.read();
    writeKeys(directory, before);
    const result = step(directory);
    const after = readKeys(directory);
    if (after !== before && !(await shared.write(after))) throw keysConflict();
    return result;
  } finally {
    await shared.close();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** Of several coordinators that make the first keys at a time one is the first, and the others take its. */
async function makeShared(shared: SharedKeys, directory: string): Promise<void> {
  let text = await shared.read();
  if (text === '') {
    makeTokenKeys(directory);
    if (await shared.write(readKeys(directory))) return;
    text = await shared.read();
  }
  writeKeys(directory, text);
}

function readKeys(directory: string): string {
  try {
    return readFileSync(join(directory, keysFileName), 'utf8');
  } catch (error) {
    if (systemErrorCode(error) === 'ENOENT') return '';
    throw error;
  }
}

function writeKeys(directory: string, text: string): void {
  if (text === '') return;
  const path = join(directory, keysFileName);
  writeFileSync(`${path}.new`, text, { mode: 0o600 });
  renameSync(`${path}.new`, path);
}
