/**
 * `tombola inspect FILE`: what is in a target or a ticket. Nothing is checked beyond what reading it takes.
 */
import { inFile } from '../../core/errors.ts';
import { isSafetensors } from '../../core/format/safetensors.ts';
import { isTicket } from '../../core/format/ticket-file.ts';
import { formatBytes, formatCount, formatNumber } from '../../core/format-number.ts';
import { activationName } from '../../core/network/activation-name.ts';
import { layerTitle } from '../../core/network/layer-name.ts';
import type { Step } from '../../core/network/network.ts';
import { networkShapes } from '../../core/network/shapes.ts';
import { constructionOf, sourceLayerOf } from '../../core/plan/stage.ts';
import { sourceWeightCount } from '../../core/source/source-network.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import { fileSha256 } from '../file-digest.ts';
import { loadTarget, nonzeroParameterCount } from '../load-target.ts';
import type { RawOptions } from '../option-table.ts';
import { readInputFile } from '../read-input-file.ts';
import { readTicket } from '../read-ticket.ts';
import { textList, textTable } from '../report/text-table.ts';
import { parseSharedOptions } from '../search-options.ts';

/** Prints what a file holds. */
export async function inspectCommand(
  path: string,
  raw: RawOptions,
  context: CommandContext,
): Promise<Outcome> {
  const options = parseSharedOptions(raw);
  const bytes = readInputFile(path, 'file');
  const text =
    isSafetensors(bytes) && inFile(path, () => isTicket(bytes))
      ? inspectTicket(path, context.isJson)
      : inspectTarget(path, { activation: options.activation?.value, isJson: context.isJson });
  context.print(text);
  return 0;
}

function inspectTicket(path: string, isJson: boolean): string {
  const {
    bytes,
    decoded: { ticket, changedTensors },
  } = readTicket(path);
  const { source, layers, univariate } = ticket;
  const construction = constructionOf(ticket);
  const masked = new Map(layers.map((layer, index) => [sourceLayerOf(construction, index), layer]));
  const rows = source.layers.map((layer, index) => ({
    sourceLayer: index + 1,
    ...layer,
    copies: masked.get(index)?.copyRows.length ?? null,
    maskBytes: masked.get(index)?.masks.length ?? null,
  }));
  const facts = {
    kind: 'ticket',
    construction,
    mode: ticket.mode,
    epsilon: ticket.epsilon,
    rule: ticket.rule,
    inputRange: ticket.inputRange,
    seed: source.seed.toString(),
    gridBits: source.gridBits,
    biasInit: source.biasInit,
    signGroups: univariate.signGroups,
    sourceWeights: sourceWeightCount(source),
    targetSha256: ticket.targetSha256,
    ticketBytes: bytes.length,
    ticketSha256: fileSha256(bytes),
    changedTensors,
  };
  if (isJson) return JSON.stringify({ ...facts, layers: rows }, null, 2);
  const table = textTable(
    ['source layer', 'rows', 'cols', 'taps', 'gain', 'bias gain', 'copies', 'mask'],
    rows.map((row) => [
      String(row.sourceLayer),
      formatCount(row.rows),
      formatCount(row.cols),
      String(row.taps),
      formatNumber(row.gain),
      formatNumber(row.biasGain),
      row.copies === null ? '–' : formatCount(row.copies),
      row.maskBytes === null ? '–' : formatBytes(row.maskBytes),
    ]),
  );
  return `${table}\n\n${factList(facts)}`;
}

function inspectTarget(
  path: string,
  { activation, isJson }: { activation: Parameters<typeof loadTarget>[1]; isJson: boolean },
): string {
  const { network, sha256 } = loadTarget(path, activation);
  const shapes = networkShapes(network);
  const rows = network.layers.map(({ name, linear, steps }, index) => ({
    name,
    kind: linear.kind,
    input: shapes.layers[index]?.input ?? [],
    output: shapes.layers[index]?.output ?? [],
    weights: linear.weights.length,
    nonzeroWeights: linear.weights.reduce((count, weight) => count + (weight === 0 ? 0 : 1), 0),
    weightMax: linear.weights.reduce((max, weight) => Math.max(max, Math.abs(weight)), 0),
    steps: steps.map(stepName),
  }));
  const facts = {
    kind: 'target',
    inputShape: network.inputShape,
    depth: network.layers.length,
    nonzeroParameters: nonzeroParameterCount(network),
    targetSha256: sha256,
  };
  if (isJson) return JSON.stringify({ ...facts, layers: rows }, null, 2);
  const table = textTable(
    ['layer', 'kind', 'input', 'output', 'weights', 'not 0', 'largest', 'then'],
    rows.map((row, index) => [
      layerTitle(row.name, index),
      row.kind,
      row.input.join('×'),
      row.output.join('×'),
      formatCount(row.weights),
      formatCount(row.nonzeroWeights),
      formatNumber(row.weightMax),
      row.steps.join(' ') || '–',
    ]),
  );
  return `${table}\n\n${factList(facts)}`;
}

function stepName(step: Step): string {
  return step.kind === 'activation' ? activationName(step.activation) : step.kind;
}

function factList(facts: Readonly<Record<string, unknown>>): string {
  return textList(
    Object.entries(facts).map(([name, value]) => [
      name,
      Array.isArray(value) ? value.join(', ') || '–' : String(value),
    ]),
  );
}
