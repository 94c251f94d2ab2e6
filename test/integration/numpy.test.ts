/** The ticket seen from outside: a NumPy script that shares no code with us says yes to real tickets and no to damaged ones. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { hasNumpy } from '../support/python.ts';
import {
  sampleNames,
  sampleOf,
  type TicketSample,
  testFile,
  ticketSamples,
  withLayer,
  withValues,
} from '../support/ticket-samples.ts';

let samples: readonly TicketSample[] = [];
let folder = '';
beforeAll(async () => {
  if (!hasNumpy) return;
  samples = await ticketSamples();
  folder = mkdtempSync(join(tmpdir(), 'tombola-numpy-'));
});
afterAll(() => {
  if (folder !== '') rmSync(folder, { recursive: true });
});

/** What the script says about a ticket of the sample's target. */
function judge(
  sample: TicketSample,
  ticket: Ticket,
): { readonly status: number | null; readonly line: string } {
  const paths = ['ticket', 'target'].map((name) => join(folder, `${name}.safetensors`));
  writeFileSync(paths[0] ?? '', encodeTicket(ticket));
  writeFileSync(paths[1] ?? '', encodeNetwork(sample.network));
  const { status, stdout, stderr } = spawnSync('python3', [testFile('numpy/check_ticket.py'), ...paths]);
  return { status, line: `${stdout.toString()}${stderr.toString()}` };
}

describe.skipIf(!hasNumpy)('NumPy', () => {
  it.each(sampleNames)('finds a ticket of %s sound', (name) => {
    const sample = sampleOf(samples, name);
    const { status, line } = judge(sample, sample.ticket);
    expect(line).toMatch(/^sound: [1-9]\d* blocks within [^\n]*\n$/);
    expect(status).toBe(0);
    const isDense = sample.network.layers.every(({ linear }) => linear.kind === 'dense');
    expect(line.includes('outputs differ by')).toBe(isDense);
  });

  it.each(['dense ReLU', 'padded convolution', 'exact dense', 'exact convolution'])(
    'finds a ticket of %s with one row of its masks inverted not sound, and says where',
    (name) => {
      const sample = sampleOf(samples, name);
      const inverted = withLayer(sample.ticket, 1, ({ masks }) => ({
        masks: withValues(masks, { 0: (masks[0] ?? 0) ^ 255 }),
      }));
      const { status, line } = judge(sample, inverted);
      expect(line).toMatch(/^not sound: source layer 3: row \d+, channel 0, tap \d: residual too large\n$/);
      expect(status).toBe(1);
    },
  );

  it('finds a ticket with another seed or with a bias bit flipped not sound', () => {
    const sample = sampleOf(samples, 'sigmoid with intercepts');
    const { ticket } = sample;
    const reseeded = judge(sample, { ...ticket, source: { ...ticket.source, seed: 2n } });
    expect([reseeded.status, reseeded.line]).toEqual([1, expect.stringMatching(/^not sound: /)]);
    const rowBytes = (ticket.layers[0]?.masks.length ?? 0) / (ticket.layers[0]?.copyRows.length ?? 1);
    const flipped = withLayer(ticket, 0, ({ masks }) => ({
      masks: withValues(masks, { [rowBytes - 2]: (masks[rowBytes - 2] ?? 0) ^ 255 }),
    }));
    expect(judge(sample, flipped)).toEqual({
      status: 1,
      line: 'not sound: source layer 2: a bias residual too large\n',
    });
  });
});
