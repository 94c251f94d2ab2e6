/** Reads a ticket file from disk. */
import { inFile } from '../core/errors.ts';
import { type DecodedTicket, decodeTicket } from '../core/format/ticket-file.ts';
import { readInputFile } from './read-input-file.ts';

/** A ticket with the bytes it was read from. */
export interface LoadedTicket {
  readonly bytes: Uint8Array;
  readonly decoded: DecodedTicket;
}

/**
 * Returns the ticket of a file. Its claims are not checked.
 * @throws TombolaError when it cannot be read or is no ticket; the message ends in the file's name.
 */
export function readTicket(path: string): LoadedTicket {
  const bytes = readInputFile(path, 'ticket');
  return { bytes, decoded: inFile(path, () => decodeTicket(bytes)) };
}
