/** The ticket seen from outside: a NumPy script that shares no code with us says yes to real tickets and no to damaged ones. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExportLayer, exportNetwork } from '../../src/core/export/export-layers.ts';
import { exportNpz } from '../../src/core/export/export-npz.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { readSafetensors, writeSafetensors } from '../../src/core/format/safetensors.ts';
import { encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import type { Ticket } from '../../src/core/ticket/ticket.ts';
import { collect, exportBytes, inputsOf } from '../support/exported.ts';
import { forgeries, nearForgeries } from '../support/forged-tickets.ts';
import type { Forgery } from '../support/handmade-ticket.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { hasNumpy, numpyBytes } from '../support/python.ts';
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
  sample: Pick<TicketSample, 'network'>,
  ticket: Ticket,
  npz: Uint8Array | null = null,
  more: readonly string[] = [],
): { readonly status: number | null; readonly line: string } {
  const paths = ['ticket', 'target'].map((name) => join(folder, `${name}.safetensors`));
  writeFileSync(paths[0] ?? '', encodeTicket(ticket));
  writeFileSync(paths[1] ?? '', encodeNetwork(sample.network));
  return judgeFiles(paths, npz, more);
}

/** What the script says about a ticket's file and a target's. */
function judgeFiles(
  paths: readonly string[],
  npz: Uint8Array | null = null,
  more: readonly string[] = [],
): { readonly status: number | null; readonly line: string } {
  const against = npz === null ? [] : ['--against', join(folder, 'export.npz')];
  if (npz !== null) writeFileSync(join(folder, 'export.npz'), npz);
  const script = testFile('numpy/check_ticket.py');
  const { status, stdout, stderr } = spawnSync('python3', [script, ...paths, ...against, ...more]);
  return { status, line: `${stdout.toString()}${stderr.toString()}` };
}

/** What the script says about each of several tickets, in one process. */
function judgeAll(forged: readonly Pick<Forgery, 'ticket' | 'network'>[]): readonly string[] {
  const paths = forged.map(({ ticket, network }, index) => {
    writeFileSync(join(folder, `${index}.ticket`), encodeTicket(ticket));
    writeFileSync(join(folder, `${index}.target`), encodeNetwork(network));
    return join(folder, `${index}`);
  });
  const loop = `
import argparse, sys
sys.path.insert(0, sys.argv[1])
import check_ticket
for path in sys.argv[2:]:
    options = argparse.Namespace(ticket=path + ".ticket", target=path + ".target", inputs=None, against=None)
    try: print("sound:", check_ticket.Checker(options).verdict())
    except Exception as error: print("not sound:", check_ticket.one_line(error))`;
  const { stdout } = spawnSync('python3', ['-B', '-c', loop, testFile('numpy'), ...paths]);
  return stdout.toString().trimEnd().split('\n');
}

/** A sample's network with a ticket of the 2L construction. */
async function twoLayerSample(name: string, options: Partial<PlanOptions>): Promise<TicketSample> {
  const sample = sampleOf(samples, name);
  const searched = await searchInProcess(
    sample.network,
    { ...options, construction: '2L' },
    await kernelSolver(),
  );
  return { ...sample, ...searched };
}

describe.skipIf(!hasNumpy)('NumPy', () => {
  it.each(sampleNames)('finds a ticket of %s sound, and its export equal to the bit', (name) => {
    const sample = sampleOf(samples, name);
    const form = sampleNames.indexOf(name) % 2 === 0 ? 'full' : 'pruned';
    const { status, line } = judge(sample, sample.ticket, exportBytes(sample, 'npz', form));
    expect(line).toMatch(
      /^sound: [1-9]\d* blocks of weights within \S+, outputs of 8 inputs differ by \S+ of \S+, export equal\n$/,
    );
    expect(status).toBe(0);
  });

  it('finds an export with one mask bit or one number changed not equal, and says where', () => {
    const sample = sampleOf(samples, 'dense ReLU');
    const { layers, ...rest } = exportNetwork(sample.ticket, sample.network, 'pruned');
    const changed = (change: (layer: ExportLayer) => Partial<ExportLayer>): Uint8Array => {
      const edited = layers.map((layer, index) => (index === 1 ? { ...layer, ...change(layer) } : layer));
      const network = { ...rest, layers: edited };
      return collect(exportNpz(network, new Map([['tombola_form', 'pruned']])));
    };
    const flipped = changed(({ mask }) => ({
      mask: (row, values) => {
        mask(row, values);
        values[0] = 1 - (values[0] ?? 0);
      },
    }));
    const nudged = changed(({ bias }) => ({ bias: bias.map((value) => value * (1 + 2 ** -23)) }));
    const line = 'not sound: export, source layer 2: ';
    expect(judge(sample, sample.ticket, flipped)).toEqual({ status: 1, line: `${line}mask\n` });
    expect(judge(sample, sample.ticket, nudged)).toEqual({ status: 1, line: `${line}biases\n` });
  });

  it('does not check files that cannot be read or are of another kind, and says so in one line', () => {
    const sample = sampleOf(samples, 'dense ReLU');
    const path = (name: string): string => join(folder, name);
    const ticket = encodeTicket(sample.ticket);
    writeFileSync(path('good'), ticket);
    writeFileSync(path('target'), encodeNetwork(sample.network));
    expect(judgeFiles([path('absent'), path('target')])).toEqual({
      status: 2,
      line: expect.stringMatching(/^not checked: .*No such file.*\n$/),
    });
    expect(judgeFiles([path('good'), folder])).toMatchObject({ status: 2 });
    writeFileSync(path('empty'), new Uint8Array(0));
    writeFileSync(path('short'), ticket.subarray(0, ticket.length - 5));
    writeFileSync(path('onnx'), new TextEncoder().encode('\x08\x07\x12\x07pytorch\xff'));
    writeFileSync(path('bare'), new TextEncoder().encode('\x02\0\0\0\0\0\0\0[]'));
    for (const name of ['short', 'bare'])
      expect(judgeFiles([path(name), path('target')])).toEqual({
        status: 2,
        line: `not checked: ${path(name)} is no ticket.safetensors, or a damaged one\n`,
      });
    for (const name of ['empty', 'onnx'])
      expect(judgeFiles([path('good'), path(name)])).toEqual({
        status: 2,
        line: `not checked: ${path(name)} is no target.safetensors; make one with tombola export --format target\n`,
      });
    writeFileSync(path('odd.npz'), 'PK\x03\x04, but no archive');
    const against = judgeFiles([path('good'), path('target')], null, ['--against', path('odd.npz')]);
    expect(against).toEqual({ status: 1, line: expect.stringMatching(/^not sound: .+\n$/) });
  });

  it('runs the networks on inputs that are given', () => {
    const sample = sampleOf(samples, 'exact convolution');
    const inputs = inputsOf(sample).flatMap((input) => [...input]);
    const text = `inputs = np.array(${JSON.stringify(inputs)}).reshape(3, -1)\nnp.save(out, inputs)`;
    const path = join(folder, 'inputs.npy');
    writeFileSync(path, numpyBytes(text));
    const { line } = judge(sample, sample.ticket, null, ['--inputs', path]);
    expect(line).toMatch(/^sound: .* outputs of 3 inputs differ by/);
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

  it.each([
    ['dense ReLU', {}, 'full'],
    ['sigmoid with intercepts', { inputRange: [-1, 1] }, 'pruned'],
    ['padded convolution with sign groups', { inputRange: [-1, 1] }, 'full'],
    ['exact dense', { mode: 'exact', gridBits: 8 }, 'pruned'],
  ] as const)(
    'finds a 2L ticket of %s sound, and its export equal to the bit',
    async (name, options, form) => {
      const sample = await twoLayerSample(name, options);
      const { status, line } = judge(sample, sample.ticket, exportBytes(sample, 'npz', form));
      expect(line).toMatch(/^sound: [1-9]\d* blocks of weights within .*, export equal\n$/);
      expect(status).toBe(0);
    },
  );

  it('finds a damaged 2L ticket not sound, and says where', async () => {
    const sample = await twoLayerSample('dense ReLU', {});
    const { ticket } = sample;
    const [deeper] = ticket.deeperUnivariates;
    if (deeper === undefined) throw new Error('the ticket has no second univariate layer');
    const row = deeper.inputs.findIndex((input) => input >= 0);
    const copies = ticket.layers[0]?.copyRows ?? new Int32Array(0);
    const other = copies.find((copy) => copy !== deeper.inputs[row]) ?? -1;
    const stray = Array.from({ length: 99 }, (_, column) => column).find(
      (column) => !copies.includes(column),
    );
    const withDeeper = (change: Partial<typeof deeper>): Ticket => ({
      ...ticket,
      deeperUnivariates: ticket.deeperUnivariates.with(0, { ...deeper, ...change }),
    });
    const inverted = withLayer(ticket, 1, ({ masks }) => ({
      masks: withValues(masks, { 0: (masks[0] ?? 0) ^ 255 }),
    }));
    const damaged: readonly (readonly [Ticket, RegExp])[] = [
      [inverted, /^source layer 4: row \d+, channel 0, tap 0: residual too large$/],
      [{ ...ticket, source: { ...ticket.source, seed: 2n } }, /^source layer \d/],
      [withDeeper({ inputs: withValues(deeper.inputs, { [row]: other }) }), /^source layer (3|4): /],
      [
        withDeeper({ inputs: withValues(deeper.inputs, { [row]: stray ?? -1 }) }),
        /^source layer 3: a first weight to no input$/,
      ],
      [
        withDeeper({ inputs: withValues(deeper.inputs, { [row]: -2 }) }),
        /^source layer 3: a first weight to no input$/,
      ],
      [withDeeper({ signGroups: 'any' }), /^source layer 3: one block per weight, but a slope per sign$/],
      [withDeeper({ extendedInput: true }), /^source layer 3: shape$/],
      [{ ...ticket, deeperUnivariates: [deeper] }, /^univariate layers for some target layers only$/],
    ];
    const lines = judgeAll(damaged.map(([changed]) => ({ ...sample, ticket: changed })));
    for (const [index, [, fault]] of damaged.entries())
      expect(lines[index]?.replace('not sound: ', '')).toMatch(fault);
  });

  it('finds tickets by hand not sound, and their neighbours sound', () => {
    const lines = judgeAll([...forgeries(), ...nearForgeries()]);
    const refused = lines.slice(0, forgeries().length);
    for (const [index, { name }] of forgeries().entries())
      expect(refused[index], name).toMatch(
        /^not sound: \S+ \S+ \d+: (quantum|a block of|a bias (block|edge)|biases too coarse|a negative input|a bias residual|constants without)/,
      );
    for (const [index, { name }] of nearForgeries().entries())
      expect(lines[refused.length + index], name).toMatch(/^sound: /);
  });

  it('finds a ticket with negative copies, masks for one row only, a quantum, a wide tolerance, or a gain below 0 not sound', () => {
    const sample = sampleOf(samples, 'dense ReLU');
    const { ticket, network } = sample;
    const [counts = new Int32Array(0)] = ticket.layers.map(({ copyCounts }) => copyCounts);
    const [copies = 0, more = 0] = counts;
    const odd = withLayer(ticket, 0, () => ({
      copyCounts: withValues(counts, { 0: -1, 1: copies + more + 1 }),
    }));
    const gains = ticket.source.layers.map((layer, k) => (k < 2 ? { ...layer, gain: -layer.gain } : layer));
    const turned = { ...ticket, source: { ...ticket.source, layers: gains } };
    const astray = withLayer(ticket, 0, ({ constantElements }) => ({
      constantElements: withValues(constantElements, { 0: -2 }),
    }));
    const damaged: readonly (readonly [Ticket, RegExp])[] = [
      [odd, /^not sound: source layer 2: copies that do not add up$/],
      [turned, /^not sound: a gain that no source has$/],
      ...[{ weightQuantum: 1e-3 }, { biasQuantum: 1e-3 }].map(
        (change) => [withLayer(ticket, 1, () => change), /^not sound: a quantum, which/] as const,
      ),
      [astray, /^not sound: source layer 2: a constant that reads no edge$/],
      ...[0, 1, 2].map(
        (epsilon) => [{ ...ticket, epsilon }, /^not sound: a tolerance that the mode/] as const,
      ),
    ];
    const lines = judgeAll(damaged.map(([changed]) => ({ network, ticket: changed })));
    for (const [index, [, line]] of damaged.entries()) expect(lines[index]).toMatch(line);
    const { tensors, metadata } = readSafetensors(encodeTicket(ticket));
    const masks = tensors.get('source.3.masks');
    const [, bytes = 0] = masks?.shape ?? [];
    const paths = ['ticket', 'target'].map((name) => join(folder, `${name}.safetensors`));
    writeFileSync(paths[1] ?? '', encodeNetwork(network));
    for (const [shape, line] of [
      [[1, bytes], /^not sound: source layer 3: shape$/m],
      [[bytes], /^not sound: source.3.masks: another type or shape/m],
    ] as const) {
      const part = { dtype: 'U8', shape, data: masks?.data.subarray(0, bytes) ?? new Uint8Array(0) } as const;
      writeFileSync(
        paths[0] ?? '',
        writeSafetensors(new Map([...tensors, ['source.3.masks', part]]), metadata),
      );
      expect(judgeFiles(paths).line).toMatch(line);
    }
  });

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
