/**
 * The one error class a user may see. Everything else that is thrown is a bug of ours and keeps its stack trace.
 */

/** Why a command cannot go on: `misuse` is mended by calling it otherwise (exit 2), `failure` is not (exit 1). */
export type TombolaErrorKind = 'misuse' | 'failure';

/**
 * An error whose message is meant for the user: one line, `Cannot <action> <what>: <current value>, expected <wanted>`,
 * saying what to do. The command line prints the message alone, never a stack trace.
 */
export class TombolaError extends Error {
  override readonly name = 'TombolaError';
  readonly kind: TombolaErrorKind;

  constructor(kind: TombolaErrorKind, message: string, options?: ErrorOptions) {
    super(message, options);
    this.kind = kind;
  }
}

/** Returns an error for a call that has to be made otherwise: a wrong option, a file that is not there. */
export function misuse(message: string, cause?: unknown): TombolaError {
  return new TombolaError('misuse', message, cause === undefined ? undefined : { cause });
}

/** Returns an error for input or an environment that cannot be used: a damaged file, an unsupported operator, a full disk. */
export function failure(message: string, cause?: unknown): TombolaError {
  return new TombolaError('failure', message, cause === undefined ? undefined : { cause });
}

/**
 * Returns what `read` does.
 * @throws TombolaError where it throws one, its message on one line and with the file's name: names in a file may hold line breaks and worse.
 */
export function inFile<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof TombolaError)) throw error;
    const message = `${error.message} (in ${name})`.replace(/\p{Cc}+/gu, ' ');
    throw new TombolaError(error.kind, message, { cause: error });
  }
}

/**
 * Asserts what must hold if our own code is right. Never used on anything that came from a file, a user or the wire.
 * @throws Error when `condition` is false.
 */
export function invariant(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new Error(`Broken invariant: ${claim}`);
}
