/** Exports of real tickets, opened by strangers: ONNX Runtime, PyTorch where it is here, and our own readers. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as ort from 'onnxruntime-web';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ExportForm, exportNetwork } from '../../src/core/export/export-layers.ts';
import { exportOnnx } from '../../src/core/export/export-onnx.ts';
import { readNpz } from '../../src/core/format/npz.ts';
import { importOnnx } from '../../src/core/format/onnx/import-onnx.ts';
import { fieldsOf, messageOf, textOf } from '../../src/core/format/onnx/protobuf.ts';
import { readSafetensors } from '../../src/core/format/safetensors.ts';
import type { Tensor } from '../../src/core/format/tensor.ts';
import { encodeTicket } from '../../src/core/format/ticket-file.ts';
import { forward } from '../../src/core/network/forward.ts';
import type { Network } from '../../src/core/network/network.ts';
import type { PlanOptions } from '../../src/core/plan/make-plan.ts';
import { activationStep, convolutionLayer } from '../support/evaluation-networks.ts';
import {
  collect,
  type Exported,
  expectedOutputs,
  exportBytes,
  inputsOf,
  relativeDifference,
  sha256,
} from '../support/exported.ts';
import { kernelSolver, searchInProcess } from '../support/in-process-search.ts';
import { noExternal, runOracle } from '../support/onnx-oracle.ts';
import { everyActivation, networkOf } from '../support/random-network.ts';
import { sampleNames, sampleOf, ticketSamples, withLayer, withValues } from '../support/ticket-samples.ts';
import { hasTorch, runTorch } from '../support/torch.ts';

/** Everything that a window can have, and outputs that are positions of the last layer's channels. */
const windows: Network = {
  inputShape: [2, 7, 6],
  inputSteps: [{ kind: 'maxPool', kernel: [2, 2], strides: [1, 1], padding: [1, 0, 0, 1] }],
  layers: [
    convolutionLayer({ inputs: 2, outputs: 3, kernel: [3, 2], strides: [2, 1], padding: [1, 0, 2, 1] }, [
      activationStep({ kind: 'tanh' }),
      {
        kind: 'averagePool',
        kernel: [2, 3],
        strides: [1, 2],
        padding: [1, 1, 1, 1],
        countPadding: false,
      },
    ]),
    convolutionLayer({ inputs: 3, outputs: 2, kernel: [2, 2], dilations: [2, 1] }, [{ kind: 'flatten' }]),
  ],
};
const global: Network = {
  inputShape: [1, 5, 5],
  inputSteps: [],
  layers: [
    convolutionLayer({ inputs: 1, outputs: 2 }, [activationStep({ kind: 'relu' })]),
    convolutionLayer({ inputs: 2, outputs: 3, kernel: [2, 2] }, [
      { kind: 'globalAveragePool' },
      { kind: 'flatten' },
    ]),
  ],
};
const pairs = everyActivation.flatMap((activation, index) => {
  const next = everyActivation[index + 1];
  return index % 2 === 0 && next !== undefined ? [[activation, next] as const] : [];
});
const activationNames = pairs.map((pair) => pair.map(({ kind }) => kind).join(' and '));
const baselineNames = ['2L dense', '2L convolution'];
const names = [...sampleNames, 'every window', 'global pooling', ...baselineNames, ...activationNames];
const forms: readonly ExportForm[] = ['pruned', 'full'];
const cases = names.flatMap((name) => forms.map((form) => [name, form] as const));

const tickets = new Map<string, Exported>();
let folder = '';
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tombola-exports-'));
  const samples = await ticketSamples();
  for (const sample of samples) tickets.set(sample.name, sample);
  const solver = await kernelSolver();
  const search = async (
    name: string,
    network: Network,
    options: Partial<PlanOptions> = {},
  ): Promise<void> => {
    const plan: Partial<PlanOptions> = { epsilon: 0.05, inputRange: [-1, 1], ...options };
    const { ticket } = await searchInProcess(network, plan, solver);
    tickets.set(name, { ticket, network });
  };
  const twoL = { construction: '2L' } as const;
  await search('2L dense', sampleOf(samples, 'dense ReLU').network, twoL);
  await search('2L convolution', sampleOf(samples, 'padded convolution').network, twoL);
  await search('every window', windows);
  await search('global pooling', global);
  for (const [index, activations] of pairs.entries()) {
    const recipe = {
      seed: index,
      activations,
      convolutional: false,
      pooling: 'none',
      sparsity: 0.2,
    } as const;
    await search(activationNames[index] ?? '', networkOf({ ...recipe, biased: true, padded: false }));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ticketOf(name: string): Exported {
  const found = tickets.get(name);
  if (found === undefined) throw new Error(`there is no ticket ${name}`);
  return found;
}

/** The ticket with eight mask bits of an output inverted. */
function corrupted({ ticket, network }: Exported): Exported {
  const last = ticket.layers.length - 1;
  const invert = (masks: Uint8Array) => withValues(masks, { 0: (masks[0] ?? 0) ^ 255 });
  return { network, ticket: withLayer(ticket, last, ({ masks }) => ({ masks: invert(masks) })) };
}

describe('ONNX Runtime', () => {
  it.each(cases)('computes what a ticket of %s computes, from a %s model', async (name, form) => {
    const subject = ticketOf(name);
    const inputs = inputsOf(subject);
    const found = await runOracle(exportBytes(subject, 'onnx', form), subject.network.inputShape, inputs);
    expect(relativeDifference(found, expectedOutputs(subject, inputs))).toBeLessThan(1e-4);
  });

  it('computes something else from a corrupted ticket', async () => {
    const subject = ticketOf('dense ReLU');
    const inputs = inputsOf(subject);
    const bytes = exportBytes(corrupted(subject), 'onnx');
    const found = await runOracle(bytes, subject.network.inputShape, inputs);
    expect(relativeDifference(found, expectedOutputs(subject, inputs))).toBeGreaterThan(1e-3);
  });

  it('reads weights from a data file beside the model, as our own importer does', async () => {
    const subject = ticketOf('padded convolution');
    const network = exportNetwork(subject.ticket, subject.network, 'pruned');
    const options = { metadata: new Map(), dataName: 'ticket.onnx.data', inlineBytesMax: 0 };
    const { model, data } = exportOnnx(network, options);
    const [modelBytes, dataBytes] = [collect(model), collect(data ?? [])];
    const inputs = inputsOf(subject);
    const expected = expectedOutputs(subject, inputs);
    const imported = importOnnx(modelBytes, (name) =>
      name === 'ticket.onnx.data' ? dataBytes : noExternal(name),
    );
    const ours = inputs.map((input) => forward(imported, Float64Array.from(input)));
    expect(relativeDifference(ours, expected)).toBeLessThan(1e-5);
    const session = await ort.InferenceSession.create(modelBytes, {
      externalData: [{ path: 'ticket.onnx.data', data: dataBytes }],
    });
    const shape = [1, ...subject.network.inputShape];
    const found = await session.run({ input: new ort.Tensor('float32', inputs[0] ?? [], shape) });
    expect(relativeDifference([found.logits?.data as Float32Array], expected.slice(0, 1))).toBeLessThan(1e-4);
  });
});

describe('Tombola itself', () => {
  it.each(names)('imports the ONNX model of a ticket of %s as a network that computes the same', (name) => {
    const subject = ticketOf(name);
    const inputs = inputsOf(subject);
    const network = importOnnx(exportBytes(subject, 'onnx'), noExternal);
    expect(network.layers.length).toBe(subject.ticket.source.layers.length);
    const found = inputs.map((input) => forward(network, Float64Array.from(input)));
    expect(relativeDifference(found, expectedOutputs(subject, inputs))).toBeLessThan(1e-4);
  });

  it.each(cases)('reads the same numbers and masks of %s, %s, from all formats', (name, form) => {
    const subject = ticketOf(name);
    const arrays = readNpz(exportBytes(subject, 'npz', form));
    const torch = readSafetensors(exportBytes(subject, 'torch', form)).tensors;
    const plain = readSafetensors(exportBytes(subject, 'safetensors', form)).tensors;
    const indices = [...plain.keys()]
      .filter((key) => key.endsWith('.weight'))
      .map((key) => key.split('.')[0]);
    expect(indices).toHaveLength(subject.ticket.source.layers.length);
    indices.forEach((index, layer) => {
      for (const part of ['weight', 'bias']) {
        const numbers = arrays.get(`source.${layer + 1}.${part}`);
        const mask = arrays.get(`source.${layer + 1}.${part}_mask`);
        expectSame(torch.get(`${index}.${part}_orig`), numbers);
        expectSame(torch.get(`${index}.${part}_mask`), mask);
        const kept = numbers?.data.map((byte, k) => (mask?.data[k >> 2] === 1 ? byte : 0));
        expectSame(plain.get(`${index}.${part}`), numbers && { ...numbers, data: kept ?? numbers.data });
      }
    });
  });

  it('finds in every format which ticket, seed and target it comes from', () => {
    const subject = ticketOf('dense ReLU');
    const wanted = {
      tombola_ticket_sha256: sha256(encodeTicket(subject.ticket)),
      tombola_target_sha256: subject.ticket.targetSha256,
      tombola_seed: '1',
      tombola_form: 'full',
    };
    for (const format of ['torch', 'safetensors'] as const) {
      const { metadata } = readSafetensors(exportBytes(subject, format, 'full'));
      expect(Object.fromEntries(metadata)).toMatchObject({ format: 'pt', ...wanted });
    }
    const npz = readNpz(exportBytes(subject, 'npz', 'full')).get('metadata')?.data ?? new Uint8Array(0);
    expect(JSON.parse(Buffer.from(npz).toString())).toMatchObject(wanted);
    expect(onnxMetadata(exportBytes(subject, 'onnx', 'full'))).toMatchObject(wanted);
  });
});

/** Vitest's own comparison takes seconds for some thousand numbers. */
function expectSame(found: Tensor | undefined, expected: Tensor | undefined): void {
  expect([found?.dtype, found?.shape]).toEqual([expected?.dtype, expected?.shape]);
  expect(Buffer.compare(found?.data ?? new Uint8Array(1), expected?.data ?? new Uint8Array(0))).toBe(0);
}

/** ModelProto's metadata_props. */
function onnxMetadata(bytes: Uint8Array): Record<string, string> {
  const entries = [...fieldsOf(bytes)]
    .filter(({ number }) => number === 14)
    .map((field) => [...fieldsOf(messageOf(field))].map(textOf));
  return Object.fromEntries(entries);
}

describe.skipIf(!hasTorch)('PyTorch', () => {
  it('loads every export in five lines, computes what the ticket computes, and has its masks to the bit', () => {
    const jobs = cases.map(([name, form], index) => {
      const subject = ticketOf(name);
      const file = join(folder, `${index}.safetensors`);
      writeFileSync(file, exportBytes(subject, 'torch', form));
      const inputs = inputsOf(subject);
      return { subject, form, inputs, file };
    });
    const answers = runTorch(
      jobs.map(({ subject, inputs, file }) => ({
        file,
        inputs: inputs.flatMap((input) => [...input]),
        shape: [inputs.length, ...subject.network.inputShape],
      })),
      join(folder, 'jobs.json'),
    );
    jobs.forEach(({ subject, form, inputs }, index) => {
      const { outputs = [], masks = [] } = answers[index] ?? {};
      const expected = expectedOutputs(subject, inputs);
      const found = expected.map((values, k) => outputs.slice(k * values.length, (k + 1) * values.length));
      expect(relativeDifference(found, expected), cases[index]?.join()).toBeLessThan(1e-4);
      expect(masks).toEqual(maskDigests(subject, form));
    });
  });
});

function maskDigests(subject: Exported, form: ExportForm): string[] {
  const arrays = readNpz(exportBytes(subject, 'npz', form));
  return subject.ticket.source.layers.flatMap((_, index) =>
    ['weight', 'bias'].map((part) =>
      sha256(arrays.get(`source.${index + 1}.${part}_mask`)?.data ?? new Uint8Array(0)),
    ),
  );
}
