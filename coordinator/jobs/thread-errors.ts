/** Errors on their way between threads: structured clones lose their classes. */
import { TombolaError, type TombolaErrorKind } from '../../src/core/errors.ts';
import { DeadTile } from './job-solver.ts';
import { StoreTrouble } from './job-store.ts';

/** An error as plain data. */
export interface PlainError {
  readonly name: string;
  readonly message: string;
  readonly stack: string | undefined;
  /** Of a TombolaError; null for others. */
  readonly kind: TombolaErrorKind | null;
}

/** Returns what was thrown as plain data; its cause is left behind. */
export function plainError(thrown: unknown): PlainError {
  const error = thrown instanceof Error ? thrown : new Error(String(thrown));
  const { message, stack } = error;
  const name = error instanceof StoreTrouble ? 'StoreTrouble' : error.name;
  return { name, message, stack, kind: error instanceof TombolaError ? error.kind : null };
}

/** Returns the error, of the class it had where that means something to the jobs' driver. */
export function errorOf({ name, message, stack, kind }: PlainError): Error {
  if (name === 'StoreTrouble') return new StoreTrouble(message);
  if (kind !== null) return new TombolaError(kind, message);
  if (name === 'DeadTile') return new DeadTile(message);
  return Object.assign(new Error(message), { name, stack });
}
