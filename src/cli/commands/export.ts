/**
 * `tombola export TICKET --format F --target TARGET --out FILE`: a checked ticket in a form that other programs read.
 */
import { basename } from 'node:path';
import { failure, misuse } from '../../core/errors.ts';
import { type ExportNetwork, exportNetwork } from '../../core/export/export-layers.ts';
import { exportMetadata } from '../../core/export/export-metadata.ts';
import { exportNpz } from '../../core/export/export-npz.ts';
import { exportOnnx } from '../../core/export/export-onnx.ts';
import { exportSafetensors } from '../../core/export/export-safetensors.ts';
import { torchSequential } from '../../core/export/torch-modules.ts';
import { encodeNetwork } from '../../core/format/network-file.ts';
import { formatBytes, formatCount } from '../../core/format-number.ts';
import { elementCount } from '../../core/network/shapes.ts';
import { checkResiduals } from '../check-ticket.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { fileSha256 } from '../file-digest.ts';
import { type LoadedTarget, loadTarget } from '../load-target.ts';
import type { RawOptions } from '../option-table.ts';
import { readTicket } from '../read-ticket.ts';
import { textList } from '../report/text-table.ts';
import { parseSharedOptions } from '../search-options.ts';
import { checkFree, checkNoInput, type StreamedFile, writeStreams } from '../write-stream.ts';

const formats = ['torch', 'onnx', 'npz', 'safetensors', 'target'] as const;
type Format = (typeof formats)[number];

/** Bytes in the file for each weight of the source that it has: nearly all of it. */
const weightBytes: Readonly<Record<Format, number>> = {
  torch: 5,
  onnx: 4,
  npz: 5,
  safetensors: 4,
  target: 0,
};

/** Checks a ticket, exports it, and prints what was written. */
export async function exportCommand(
  ticketPath: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const { format, targetPath, out } = parseExport(ticketPath, raw);
  const { threads, activation } = parseSharedOptions(raw);
  const force = raw.get('force') === 'true';
  for (const path of format === 'onnx' ? [out, dataPath(out)] : [out]) {
    checkNoInput(path, { ticket: ticketPath, target: targetPath });
    checkFree(path, force);
  }
  const { bytes, decoded } = readTicket(ticketPath);
  const target = loadTarget(targetPath, activation?.value);
  const { progress, signal } = context;
  progress.say(`Verifying ${ticketPath} first: what is exported is sound …`);
  const { fault } = await checkResiduals({ decoded, target, threads, progress, signal });
  if (fault !== null) throw failure(`Cannot export ${ticketPath}: it does not verify: ${fault}`);
  const network = exportNetwork(
    decoded.ticket,
    target.network,
    raw.get('full') === 'true' ? 'full' : 'pruned',
  );
  const metadata = exportMetadata(decoded.ticket, fileSha256(bytes), network);
  const files = filesOf(format, { network, target, metadata, out });
  progress.say(`Writing ${out} …`);
  const total = network.layers.reduce((sum, { shape }) => sum + weightBytes[format] * elementCount(shape), 1);
  const onBytes = (written: number): void =>
    progress.show(Math.min(1, written / total), `${formatBytes(written)} written`);
  const sizes = await writeStreams(files, { force, signal, onBytes });
  progress.clear();
  const report = {
    format,
    files: files.map(({ path }, index) => ({ path, bytes: sizes[index] ?? 0 })),
    ...(format === 'target' ? nothingOfTicket : ticketParts(format, network)),
    metadata: format === 'target' ? {} : Object.fromEntries(metadata),
  };
  context.print(context.isJson ? JSON.stringify(report, null, 2) : exportText(report));
  return 0;
}

function parseExport(
  ticketPath: string,
  raw: RawOptions,
): { readonly format: Format; readonly targetPath: string; readonly out: string } {
  const format = formats.find((known) => known === raw.get('format'));
  const targetPath = raw.get('target');
  const out = raw.get('out');
  if (format === undefined)
    throw misuse(
      `Cannot export ${ticketPath} as ${JSON.stringify(raw.get('format') ?? '')}: expected --format ${formats.join(' | ')}`,
    );
  if (targetPath === undefined)
    throw misuse(`Cannot export ${ticketPath} alone: name its target with --target FILE`);
  if (out === undefined || out === '')
    throw misuse(`Cannot export ${ticketPath} without a place: name a file with --out FILE`);
  return { format, targetPath, out };
}

function filesOf(
  format: Format,
  {
    network,
    target,
    metadata,
    out,
  }: {
    readonly network: ExportNetwork;
    readonly target: LoadedTarget;
    readonly metadata: ReadonlyMap<string, string>;
    readonly out: string;
  },
): StreamedFile[] {
  switch (format) {
    case 'torch':
    case 'safetensors':
      return [{ path: out, chunks: exportSafetensors(network, format, metadata) }];
    case 'target':
      return [{ path: out, chunks: [encodeNetwork(target.network)] }];
    case 'npz':
      return [{ path: out, chunks: exportNpz(network, metadata) }];
    case 'onnx': {
      const { model, data } = exportOnnx(network, { metadata, dataName: basename(dataPath(out)) });
      const files = [{ path: out, chunks: model }];
      return data === null ? files : [{ path: dataPath(out), chunks: data }, ...files];
    }
  }
}

function dataPath(out: string): string {
  return `${out}.data`;
}

/** What of a ticket is in a file. */
interface TicketParts {
  /** Null: nothing. */
  readonly form: string | null;
  readonly layers: readonly { readonly kind: string; readonly shape: readonly number[] }[];
  readonly outputs: readonly number[] | null;
  readonly torch: string | null;
}

const nothingOfTicket: TicketParts = { form: null, layers: [], outputs: null, torch: null };

function ticketParts(format: Format, network: ExportNetwork): TicketParts {
  return {
    form: network.form,
    layers: network.layers.map(({ kind, shape }) => ({ kind, shape })),
    outputs: network.outputs === null ? null : [...network.outputs],
    torch: isForTorch(format) ? torchSequential(network).line : null,
  };
}

function isForTorch(format: Format): boolean {
  return format === 'torch' || format === 'safetensors';
}

interface ExportReport extends TicketParts {
  readonly format: string;
  readonly files: readonly { readonly path: string; readonly bytes: number }[];
}

function exportText({ format, form, files, layers, outputs, torch }: ExportReport): string {
  const rows: [string, string][] = [
    ...files.map(({ path, bytes }): [string, string] => ['written', `${path}, ${formatBytes(bytes)}`]),
    ['format', form === null ? format : `${format}, ${form}`],
    ...layers.map(({ kind, shape }, index): [string, string] => [
      `source layer ${index + 1}`,
      `${kind} ${shape.map(formatCount).join(' × ')}`,
    ]),
  ];
  if (outputs !== null) rows.push(['outputs', `of the last layer: ${outputs.join(', ')}`]);
  const advice =
    torch === null
      ? ''
      : `\n\nIn PyTorch (five lines: see src/core/export/export-safetensors.ts):\n\n  model = ${torch}`;
  return `\n${textList(rows)}${advice}`;
}
