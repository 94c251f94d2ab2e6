/** Reads a ticket file from disk. */
import { failure, inFile } from '../core/errors.ts';
import { type DecodedTicket, decodeTicket } from '../core/format/ticket-file.ts';
import { readInputFile } from './read-input-file.ts';

/** A ticket with the bytes it was read from. */
export interface LoadedTicket {
  readonly bytes: Uint8Array;
  readonly decoded: DecodedTicket;
}

/** Where the header of every ticket begins (core/format/safetensors.ts). */
const openingBrace = 0x7b;

/**
 * Returns the ticket of a file. Its claims are not checked.
 * @throws TombolaError when it cannot be read or is no ticket; the message ends in the file's name.
 */
export function readTicket(path: string): LoadedTicket {
  const bytes = readInputFile(path, 'ticket');
  if (bytes[8] !== openingBrace)
    throw failure(`Cannot read ticket ${path}: it is no ticket, expected a file that tombola search wrote`);
  return { bytes, decoded: inFile(path, () => decodeTicket(bytes)) };
}
