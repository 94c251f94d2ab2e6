/**
 * What an exported file says about where it comes from, as texts by name:
 *
 *   tombola_ticket_sha256   SHA-256 of the ticket file
 *   tombola_target_sha256   digest of the target (format/network-file.ts)
 *   tombola_seed            decimal, with tombola_grid_bits all that the source's numbers follow from
 *   tombola_grid_bits
 *   tombola_form            pruned | full (export-layers.ts)
 *   tombola_outputs         full only: the columns of what the last layer gives that are the outputs, a JSON list
 *   tombola_note            what was folded into the numbers
 */
import type { Ticket } from '../ticket/ticket.ts';
import type { ExportNetwork } from './export-layers.ts';

const note =
  "Numbers are the source's own: gain * q / 2^(grid_bits - 1) in float32, each layer's gain folded in. " +
  'An input of ones, where the ticket has one, stands as the bias of the first layer.';

/** Returns the texts. */
export function exportMetadata(
  ticket: Ticket,
  ticketSha256: string,
  { form, outputs }: ExportNetwork,
): ReadonlyMap<string, string> {
  const { source, targetSha256 } = ticket;
  return new Map([
    ['tombola_ticket_sha256', ticketSha256],
    ['tombola_target_sha256', targetSha256],
    ['tombola_seed', source.seed.toString()],
    ['tombola_grid_bits', String(source.gridBits)],
    ['tombola_form', form],
    ...(outputs === null ? [] : [['tombola_outputs', JSON.stringify([...outputs])] as const]),
    ['tombola_note', note],
  ]);
}
