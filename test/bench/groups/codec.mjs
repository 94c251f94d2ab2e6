/** The mask code and the message codec: what codec.mjs measures, as rows. */
import { codecRows } from '../codec.mjs';

/** Runs the group. */
export async function codec({ quick }) {
  const { tiles, messages } = await codecRows(quick ? 20 : 200);
  return [
    ...tiles.flatMap((row) => {
      const what = `${row.tile}, ${row.rule}, n = ${row.n}`;
      return [
        { name: `encode masks: ${what}`, value: 1e6 * Number(row['encode M blocks/s']), unit: 'blocks/s' },
        { name: `decode masks: ${what}`, value: 1e6 * Number(row['decode M blocks/s']), unit: 'blocks/s' },
        { name: `size of masks: ${what}`, value: Number(row['bits/block, body']), unit: 'bits/block' },
      ];
    }),
    ...messages.flatMap((row) => {
      const what = `${row.message} (${row.bytes} bytes)`;
      return [
        { name: `encode message: ${what}`, value: 1e3 * Number(row['encode k/s']), unit: 'messages/s' },
        { name: `decode message: ${what}`, value: 1e3 * Number(row['decode k/s']), unit: 'messages/s' },
      ];
    }),
  ];
}
