/** Digests of files. */
import { createHash } from 'node:crypto';

/** Returns the hex SHA-256 of a file's bytes, as `sha256sum` prints it. */
export function fileSha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
