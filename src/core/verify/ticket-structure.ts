/**
 * The structural half of verification: a ticket's shapes, rows and claims, before any residual is computed.
 * Each function returns what is wrong, in one line, or null.
 *
 * What a ticket says, and what holds it to that. Random numbers follow from places and the seed; weights, shapes, steps and activations
 * are the target's. Layers are checked in order, so what an earlier one says is sound when a later one is looked at.
 *
 *   mode, epsilon             claims, shown with the verdict: 0 < ε < 1, or exact with ε = 0 (ticketFault)
 *   rule                      how the search chose; nothing depends on it, nothing checks it
 *   inputRange                a claim, shown with the verdict: what the certificate is for. Not empty (ticketFault)
 *   targetSha256              the digest of the target at hand (ticketFault)
 *   source.seed               any
 *   source.gridBits           2 … 24 (ticket-file.ts); in exact mode a claim, shown with the verdict
 *   source.biasInit           any: without biases no row keeps one (masksFault), with them no input is extended (univariateFault)
 *   source.layers: rows       at most sourceRowsMax, all places below 2^53 (sourceFault)
 *     cols, taps              what the layer before and the target make of them (stageFault, univariateFault, shapesFault)
 *     gain, biasGain          any: residuals are measured in the target's units, and a sample unit is the quantum in exact mode
 *                             (claimsFault); what a large first gain costs a smooth activation is in the certificate
 *   univariate: inputs        inputs that exist; constants read none but the input that is 1 (univariateFault)
 *     constantRows            at most all rows (univariateFault)
 *     extendedInput           in source layer 1 only (univariateFault)
 *     signGroups              one block per weight where both slopes are equal, or all inputs and univariate weights are ≥ 0
 *                             (univariateFault, negativeFault)
 *   deeperUnivariates         none, or one for each target layer but the first (ticketFault); each like `univariate`
 *   layers: copyCounts        one for each output, at least one for each neuron that is read (rowsFault)
 *     copyRows                rows that exist, each once, ascending, no constants (rowsFault)
 *     masks                   as many bits as everything above makes; no other is set; blocks of at most exactBlockSizeMax (masksFault);
 *                             then the residual of every block (verify-rows.ts)
 *     biasElements            edges to constants, each once, at most longBlockSizeMax (biasFault)
 *     ownBias                 only if the source has biases (masksFault)
 *     constantElements        no more than rows, none behind the last layer (rowsFault); edges to constants (biasFault)
 *     weightQuantum           0, in exact mode exactly the target's own (claimsFault)
 *     biasQuantum,            0 and at most ε of the layer's scale; in exact mode both at most half a weight quantum (claimsFault)
 *       biasTolerance
 *   digests                   of the tensors' bytes: they tell damage, not forgery (ticket-file.ts)
 */
import { exactBlockSizeMax, longBlockSizeMax, sourceRowsMax } from '../limits.ts';
import { linearisation } from '../network/activation.ts';
import { stepsInterval } from '../network/intervals.ts';
import type { Network } from '../network/network.ts';
import type { LayerView } from '../plan/layer-view.ts';
import { constructionOf, sourceLayerOf } from '../plan/stage.ts';
import { SourceLayerReader, wholeSourceLayer } from '../source/source-network.ts';
import { layerLayout } from '../ticket/layout.ts';
import type { Ticket } from '../ticket/ticket.ts';
import { edgesInto, layerContext, type TicketContext } from './layer-context.ts';
import { weightQuantum } from './quantise.ts';

/** Relative difference of two float64 numbers that should be one. */
const equalWithin = 1e-12;

/** Returns what is wrong with a ticket as a whole. */
export function ticketFault(ticket: Ticket, target: Network, targetSha256: string): string | null {
  if (ticket.targetSha256 !== targetSha256)
    return `the ticket was made for the target ${ticket.targetSha256.slice(0, 16)}…, this one is ${targetSha256.slice(0, 16)}…`;
  const depth = target.layers.length;
  const sourceDepth = sourceLayerOf(constructionOf(ticket), depth - 1) + 1;
  if (ticket.layers.length !== depth || ticket.source.layers.length !== sourceDepth)
    return `the source has ${ticket.source.layers.length} layers and masks for ${ticket.layers.length}, expected ${sourceDepth} and ${depth}`;
  const univariates = ticket.deeperUnivariates.length;
  if (univariates > 0 && univariates !== depth - 1)
    return `there are ${univariates} univariate layers behind the first, expected none or ${depth - 1}`;
  if (ticket.mode === 'tolerance' ? !(ticket.epsilon > 0 && ticket.epsilon < 1) : ticket.epsilon !== 0)
    return `the tolerance is ${ticket.epsilon}, which ${ticket.mode} mode does not have`;
  if (!(ticket.inputRange[0] <= ticket.inputRange[1]))
    return `the input range [${ticket.inputRange.join(', ')}] is empty`;
  return sourceFault(ticket);
}

/** Bounds what verification holds in memory, and the places of random numbers: float64 tells those below 2^53 apart. */
function sourceFault({ source }: Ticket): string | null {
  for (const [index, { rows, cols, taps }] of source.layers.entries()) {
    const where = `source layer ${index + 1}`;
    if (rows > sourceRowsMax) return `${where} has ${rows} rows, expected at most ${sourceRowsMax}`;
    if (!Number.isSafeInteger(rows * cols * taps))
      return `${where} has ${rows} × ${cols} × ${taps} weights, expected fewer than 2^53`;
  }
  return null;
}

/** Returns what is wrong with the shapes of one stage and with its univariate layer. The stages before it must be sound. */
export function stageFault(context: TicketContext): string | null {
  const { ticket, views, stage, whole } = context;
  const before = whole.ticket.source.layers[stage.firstSourceLayer - 1];
  const first = whole.ticket.source.layers[stage.firstSourceLayer];
  if (before !== undefined && (first?.cols !== before.rows || first.taps !== stage.positions))
    return `source layer ${stage.firstSourceLayer + 1} has another shape than rows × ${before.rows} × ${stage.positions}`;
  return univariateFault(context) ?? shapesFault(ticket, views);
}

function univariateFault({ ticket, network, views }: TicketContext): string | null {
  const { inputs, constantRows, extendedInput, signGroups } = ticket.univariate;
  const where = `source layer ${wholeSourceLayer(ticket.source, 1)}`;
  const layer = ticket.source.layers[0];
  const channels = views[0]?.channels ?? 0;
  const cols = channels + (extendedInput ? 1 : 0);
  if (
    layer === undefined ||
    layer.cols !== cols ||
    layer.taps !== 1 ||
    layer.rows !== inputs.length ||
    constantRows > layer.rows
  )
    return `${where} has another shape than ${inputs.length} × ${cols}`;
  const firstConstant = layer.rows - constantRows;
  const bad = inputs.findIndex((input, row) =>
    row < firstConstant ? input < -1 || input >= channels : input !== (extendedInput ? cols - 1 : -1),
  );
  if (bad >= 0) return `${where}, row ${bad} keeps the input ${inputs[bad]}, which it may not`;
  if (extendedInput && ticket.source.slice !== undefined)
    return `${where} extends its input, which only the first layer may`;
  if (extendedInput && ticket.source.biasInit === 'uniform')
    return 'the input is extended although the source has biases';
  const { slopePositive, slopeNegative } = linearisation(network.univariateActivation);
  const low = stepsInterval(network.inputSteps, ticket.inputRange)[0];
  if (signGroups === 'any' && slopePositive !== slopeNegative)
    return `${where} has one block per weight, but its activation needs one per sign`;
  if (signGroups === 'positive' && low < 0)
    return `${where} relies on inputs ≥ 0, but their range begins at ${low}`;
  return signGroups === 'positive' ? negativeFault(ticket) : null;
}

/** φ is not linear across 0 there: a row of negative weight gives m₋·u·x or nothing, where the residuals count on m₊·u·x. */
function negativeFault({ source, univariate: { inputs, constantRows } }: Ticket): string | null {
  const where = `source layer ${wholeSourceLayer(source, 1)}`;
  const layer = source.layers[0];
  if (layer === undefined) return 'the source has no layers';
  const reader = new SourceLayerReader(source, 0, layer);
  const negative = inputs
    .subarray(0, inputs.length - constantRows)
    .findIndex((input, row) => input >= 0 && reader.weight(row, input) < 0);
  return negative < 0
    ? null
    : `${where}, row ${negative} has a negative weight, but only positive ones may serve inputs ≥ 0`;
}

function shapesFault(ticket: Ticket, views: readonly LayerView[]): string | null {
  for (const [index, view] of views.entries()) {
    const layer = ticket.source.layers[index + 1];
    const before = ticket.source.layers[index];
    const where = `source layer ${wholeSourceLayer(ticket.source, index + 2)}`;
    if (layer === undefined || before === undefined || layer.cols !== before.rows || layer.taps !== view.taps)
      return `${where} has another shape than rows × ${before?.rows} × ${view.taps}`;
  }
  return null;
}

/** Returns what is wrong with one layer of a ticket whose earlier layers are sound. */
export function layerFault(context: TicketContext, index: number): string | null {
  const where = `source layer ${wholeSourceLayer(context.ticket.source, index + 2)}`;
  const fault =
    rowsFault(context, index) ??
    masksFault(context, index) ??
    biasFault(context, index) ??
    claimsFault(context, index);
  return fault === null ? null : `${where}: ${fault}`;
}

function rowsFault({ ticket, views }: TicketContext, index: number): string | null {
  const layer = ticket.layers[index];
  const view = views[index];
  const rows = (ticket.source.layers[index + 1]?.rows ?? 0) - (layer?.constantElements.length ?? 0);
  if (layer === undefined || view === undefined || layer.copyCounts.length !== view.neurons)
    return `copies of ${layer?.copyCounts.length} neurons, expected ${view?.neurons}`;
  if (
    layer.copyCounts.some((count) => count < 0) ||
    layer.copyCounts.reduce((sum, count) => sum + count, 0) !== layer.copyRows.length
  )
    return 'the copies per neuron do not add up to the rows';
  const constantsMax = index + 1 < views.length ? (ticket.source.layers[index + 1]?.rows ?? 0) : 0;
  if (layer.constantElements.length > constantsMax)
    return `${layer.constantElements.length} constant rows, expected ${constantsMax === 0 ? 'none behind the last layer' : `at most ${constantsMax}`}`;
  const used = views[index + 1]?.usedChannels;
  const orphan = layer.copyCounts.findIndex((count, neuron) =>
    used === undefined ? count !== 1 : used[neuron] === 1 && count < 1,
  );
  if (orphan >= 0)
    return `neuron ${orphan} has ${layer.copyCounts[orphan]} copies, expected ${used === undefined ? 'one' : 'at least one'}`;
  const outside = layer.copyRows.find((row) => row < 0 || row >= rows);
  if (outside !== undefined) return `row ${outside} does not exist or is a constant`;
  let copy = 0;
  for (const count of layer.copyCounts)
    for (let k = 0; k < count; k++, copy++)
      if (k > 0 && (layer.copyRows[copy] ?? 0) <= (layer.copyRows[copy - 1] ?? 0))
        return `row ${layer.copyRows[copy]} is out of order`;
  return new Set(layer.copyRows).size === layer.copyRows.length ? null : 'a row is a copy of two neurons';
}

function masksFault({ ticket, views }: TicketContext, index: number): string | null {
  const layer = ticket.layers[index];
  const view = views[index];
  if (layer === undefined || view === undefined) return 'no such layer';
  if (layer.ownBias && ticket.source.biasInit === 'zero')
    return 'rows keep their biases, but the source has none';
  const { rowBytes, elements, blockStarts } = layerLayout(ticket, index, view);
  const weightBlocks = blockStarts.subarray(0, -1);
  const long = weightBlocks.findIndex(
    (start, block) => start - (weightBlocks[block - 1] ?? 0) > exactBlockSizeMax,
  );
  if (long >= 0)
    return `a block of ${(weightBlocks[long] ?? 0) - (weightBlocks[long - 1] ?? 0)} samples, expected at most ${exactBlockSizeMax}`;
  if (layer.masks.length !== rowBytes * layer.copyRows.length)
    return `${layer.masks.length} bytes of masks, expected ${layer.copyRows.length} rows of ${rowBytes}`;
  const spare = rowBytes * 8 - elements.length;
  for (let copy = 0; spare > 0 && copy < layer.copyRows.length; copy++)
    if ((layer.masks[(copy + 1) * rowBytes - 1] ?? 0) >> (8 - spare) !== 0)
      return `the mask of row ${layer.copyRows[copy]} has a bit that stands for no edge`;
  return null;
}

function biasFault(context: TicketContext, index: number): string | null {
  const layer = context.ticket.layers[index];
  if (layer === undefined) return 'no such layer';
  if (layer.biasElements.length > longBlockSizeMax)
    return `a bias block of ${layer.biasElements.length} edges, expected at most ${longBlockSizeMax}`;
  const edges = new Set(edgesInto(context, index).map(({ element }) => element));
  const wrong = layer.biasElements.find((element) => !edges.has(element));
  if (wrong !== undefined) return `the bias block reads edge ${wrong}, which is no constant`;
  if (new Set(layer.biasElements).size !== layer.biasElements.length)
    return 'the bias block reads an edge twice';
  const odd = layer.constantElements.find((element) => element !== -1 && !edges.has(element));
  if (odd !== undefined) return `a constant row keeps edge ${odd}, which is no constant`;
  const kept = layer.constantElements.some((element) => element !== -1);
  return kept && context.ticket.source.biasInit === 'uniform'
    ? 'a constant row keeps a bias and an edge'
    : null;
}

/**
 * The claims that loosen the check must be honest: tolerances no wider than ε, quanta that span the grid. Both are measured by the target
 * as it is: the quantised one is the ticket's own making.
 */
function claimsFault(context: TicketContext, index: number): string | null {
  const { ticket, targetScales } = context;
  const layer = ticket.layers[index];
  const scale = targetScales[index];
  if (layer === undefined || scale === undefined) return 'no such layer';
  if (ticket.mode === 'tolerance') {
    const allowed = ticket.epsilon * scale * (1 + equalWithin);
    if (layer.weightQuantum !== 0 || layer.biasQuantum !== 0)
      return `the quanta are ${layer.weightQuantum} and ${layer.biasQuantum}, which tolerance mode does not have`;
    return layer.biasTolerance <= allowed
      ? null
      : `the bias tolerance ${layer.biasTolerance} is wider than ${allowed}`;
  }
  const quantum = weightQuantum(scale, ticket.source.gridBits);
  if (layer.weightQuantum !== quantum) return `the quantum is ${layer.weightQuantum}, expected ${quantum}`;
  const coarsest = scale === 0 ? 0 : quantum / 2;
  if (Math.max(layer.biasTolerance, layer.biasQuantum) > coarsest)
    return `the biases are coarser than half a quantum: ${Math.max(layer.biasTolerance, layer.biasQuantum)}, expected at most ${coarsest}`;
  const { sampleScale } = layerContext(context, index);
  return isClose(sampleScale, layer.weightQuantum)
    ? null
    : `one unit of the samples is worth ${sampleScale}, expected the quantum ${layer.weightQuantum}`;
}

function isClose(a: number, b: number): boolean {
  return Math.abs(a - b) <= equalWithin * Math.max(Math.abs(a), Math.abs(b));
}
