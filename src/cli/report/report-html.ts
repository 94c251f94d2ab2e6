/**
 * A run's report.html: one file that reads from disk without scripts or network. What was searched, the proof, the figures, plots,
 * some inputs with both networks' outputs, and how to check it all again. It says what was measured on what, and what was not.
 */
import { basename, join } from 'node:path';
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatSeconds,
  formatShare,
} from '../../core/format-number.ts';
import { layerTitle } from '../../core/network/layer-name.ts';
import type { Ticket } from '../../core/ticket/ticket.ts';
import type { LoadedData } from '../load-data.ts';
import type { LoadedTarget } from '../load-target.ts';
import { runFiles } from '../run-folder.ts';
import type { SearchOptions } from '../search-options.ts';
import { type BlockStatistics, blockStatistics } from './block-statistics.ts';
import { exportCommand, fromHere, quote, verifyCommand } from './command-line.ts';
import { escapeMarkup } from './escape-markup.ts';
import { imageAddress } from './png.ts';
import { keptPlot, outputsPlot, residualPlot, widthsPlot } from './report-plots.ts';
import { reportStyle } from './report-style.ts';
import { type SampleOutput, sampleOutputs } from './sample-outputs.ts';
import type { Summary } from './summary.ts';

/** What a report is made of. */
export interface ReportRun {
  readonly summary: Summary;
  readonly ticket: Ticket;
  readonly target: LoadedTarget;
  readonly options: SearchOptions;
  readonly data: LoadedData | null;
  readonly folder: string;
}

interface TitledStatistics {
  readonly title: string;
  readonly statistics: BlockStatistics;
}

/** Kept edges up to which the readable passes run over some inputs: 12 bytes and 5 ns each. */
const sampledEdgesMax = 3e7;
/** Outputs drawn for an input: the largest ones of the target, where there are more. */
const outputsDrawn = 12;

/** Returns the page. */
export function reportHtml(run: ReportRun): string {
  const { summary } = run;
  const title = `${summary.name}: a strong lottery ticket`;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>${escapeMarkup(title)}</title>
<link rel="icon" href="data:,">
<style>${reportStyle}</style>
</head>
<body>
<main>
${[opening(run), search(run), proof(run), widths(run), behaviour(run), checking(run), honesty(run)].join('\n')}
</main>
</body>
</html>
`;
}

function opening({ summary, target }: ReportRun): string {
  const { sourceWeights, keptEdges, targetDepth, sourceDepth } = summary;
  const [verdict, tone] = summary.verified
    ? ['Verified: every block of every kept row', 'good']
    : [`Not verified: ${summary.fault ?? 'unknown fault'}`, 'bad'];
  const share = keptEdges === null ? null : keptEdges / sourceWeights;
  const accuracy = summary.accuracy.target === null ? null : summary.accuracy;
  const forEach =
    keptEdges === null || summary.targetWeights === 0
      ? ''
      : `, ${formatNumber(keptEdges / summary.targetWeights)} for each target weight`;
  return `<header>
<h1>${escapeMarkup(summary.name)}</h1>
<p class="lead">A subnetwork of a random network of depth ${sourceDepth}, found by pruning alone, that computes what the trained network
<code>${escapeMarkup(basename(target.path))}</code> of depth ${targetDepth} computes. No weight was trained: the ticket is a seed and one bit for each candidate edge.</p>
<p class="verdict ${tone}">${escapeMarkup(verdict)}</p>
<dl class="tiles">
${tile('target → source depth', `${targetDepth} → ${sourceDepth}`, `${formatCount(summary.targetWeights)} trained weights that are not 0`)}
${tile('random weights', short(sourceWeights), `drawn from seed ${summary.seed}`)}
${tile('kept', keptEdges === null ? '–' : short(keptEdges), `${formatShare(share)} of the source${forEach}`)}
${summary.agreement === null ? '' : tile('same class', formatShare(summary.agreement), `of ${formatCount(summary.images ?? 0)} images`)}
${accuracy === null ? '' : tile('accuracy', `${formatShare(accuracy.target)} → ${formatShare(accuracy.ticket)}`, 'target → ticket, on these images')}
${tile('largest error', errorShare(summary), summary.images === null ? 'no images were given' : 'of the largest output, on these images')}
</dl>
</header>`;
}

function search({ summary, ticket }: ReportRun): string {
  const goal =
    summary.mode === 'exact'
      ? `hits the target's weight, rounded to ${ticket.source.gridBits} bits, without any residual`
      : `comes within ${formatNumber(summary.epsilon)} of its layer's largest weight to the target's weight`;
  const rows: [string, string][] = [
    [
      'mode',
      summary.mode === 'exact'
        ? `exact, on ${ticket.source.gridBits} bits`
        : `tolerance ε = ${formatNumber(summary.epsilon)}`,
    ],
    [
      'rule for choosing among subsets',
      summary.rule === 'fewest'
        ? 'fewest edges, then smallest residual'
        : 'smallest residual, then fewest edges',
    ],
    ['seed', summary.seed],
    [
      'random numbers',
      `integers of ${ticket.source.gridBits} bits, from Philox4x64-10 by position; biases ${ticket.source.biasInit}`,
    ],
    ['inputs', `every element in [${summary.inputRange.map(formatNumber).join(', ')}]`],
    [
      'subset-sum problems',
      summary.blocks === null ? '–' : `${formatCount(summary.blocks)} in the rows that were kept`,
    ],
    ['rows tried in vain', summary.misses === null ? 'not known here' : formatCount(summary.misses)],
    [
      'time',
      Object.entries(summary.seconds)
        .flatMap(([name, value]) => (value === null ? [] : [`${name} ${formatSeconds(value)}`]))
        .join(', '),
    ],
  ];
  return `<section>
<h2>What was searched</h2>
<p>The source network was fixed before the search, by its seed, its widths and one scale a layer. For each weight of the target,
and for each copy of the neuron it belongs to, some of the source's random weights lead from the copies of one neuron to one row: a
<em>block</em>. The search looks for a subset of the block whose sum ${goal}. A row whose blocks all have one becomes a copy of the neuron; all
that is not chosen is pruned.</p>
<table class="facts">${rows.map(([name, value]) => `<tr><td>${name}</td><td>${escapeMarkup(value)}</td></tr>`).join('')}</table>
</section>`;
}

function proof(run: ReportRun): string {
  const { summary, ticket, target } = run;
  const statistics = blockStatistics(ticket, target.network);
  const layers = summary.layers.map((layer, index) => ({
    title: layerTitle(layer.name, index),
    layer,
    statistics: statistics[index] ?? { rows: 0, blocks: 0, residuals: null, kept: [] },
  }));
  const blocks = statistics.reduce((sum, layer) => sum + layer.blocks, 0);
  const looked = `Over ${formatCount(blocks)} blocks in ${formatCount(statistics.reduce((sum, { rows }) => sum + rows, 0))} rows taken evenly; the verifier looked at all.`;
  const cells = layers.map(({ title, layer, statistics: { kept, blocks } }) => [
    title,
    formatCount(layer.neurons),
    formatCount(layer.sourceRows),
    layer.copies === null ? '–' : formatCount(layer.copies),
    layer.keptEdges === null ? '–' : formatCount(layer.keptEdges),
    formatNumber(kept.reduce((sum, count, edges) => sum + count * edges, 0) / Math.max(1, blocks)),
    formatNumber(layer.residualMax),
    formatNumber(layer.residualAllowed),
  ]);
  return `<section>
<h2>The proof</h2>
<p>From the ticket and the target alone, the random network was made again from its seed and three things were checked: the structure
(every row has one owner, masks only where edges are); the residual of every block, summed in whole numbers without rounding; and a bound on
the error for every input in the declared range, which came out as <strong>${formatNumber(summary.certifiedBound)}</strong>${summary.mode === 'exact' ? ' against the quantised target' : ''}.</p>
${table(['stands for', 'neurons', 'rows', 'copies', 'kept edges', 'edges per block', 'residual max', 'allowed'], cells)}
${blocks === 0 ? '<p>No row that is kept has a weight other than 0, so there are no blocks of weights to draw.</p>' : histograms(run, layers, looked)}
</section>`;
}

/** Residuals and kept edges, layer by layer. */
function histograms({ summary }: ReportRun, layers: readonly TitledStatistics[], looked: string): string {
  return `<h3>Residuals</h3>
${
  summary.mode === 'exact'
    ? '<p>Exact mode: every sum equals its weight, rounded to the grid. All residuals of weights are 0, so there is no histogram to draw.</p>'
    : `<figure>${residualPlot(layers)}<figcaption>(sum of the kept weights − target weight), layer by layer. ${looked}</figcaption></figure>`
}
<h3>Edges kept by each block</h3>
<figure>${keptPlot(layers)}<figcaption>Blocks of weights that are not 0. ${looked}</figcaption></figure>`;
}

function widths({ summary }: ReportRun): string {
  return `<section>
<h2>Widths</h2>
<p>The price of not training: a network one or more layers deeper, and wider. The source's widths hold spare rows, most of which are pruned away.</p>
<figure>${widthsPlot(summary.targetWidths, summary.sourceWidths)}</figure>
</section>`;
}

function behaviour({ summary, ticket, target, data }: ReportRun): string {
  const heading = '<section>\n<h2>Both networks on the same inputs</h2>';
  if (data === null)
    return `${heading}
<p>No images were given to this run: nothing is known about its behaviour on data beyond the bound above. <code>tombola verify --images</code> measures it.</p>
</section>`;
  if ((summary.keptEdges ?? Number.POSITIVE_INFINITY) > sampledEdgesMax)
    return `${heading}
<p>The ticket keeps too many edges to run single inputs for a report; the figures at the top come from ${formatCount(summary.images ?? 0)} images.</p>
</section>`;
  const { samples, among, plain } = sampleOutputs(ticket, target.network, data);
  const figures = samples.map((sample) => sampleFigure(sample, target.network.inputShape));
  return `${heading}
<p><span class="key target">target</span> &nbsp; <span class="key ticket">ticket</span> &nbsp; Outputs before any softmax, in float64. Shown are the first
${formatCount(plain)} images as they come${samples.length > plain ? `, then the ${samples.length - plain} of the first ${formatCount(among)} where the two networks differ most` : ''}. The figures at the top are over all
${formatCount(summary.images ?? 0)}${summary.maxAbsError === null ? '' : `: largest difference ${formatNumber(summary.maxAbsError)}, mean ${formatNumber(summary.meanAbsError)}, largest output ${formatNumber(summary.outputScale)}`}.</p>
<div class="samples">
${figures.join('\n')}
</div>
</section>`;
}

function sampleFigure(
  { index, input, label, target, ticket, difference }: SampleOutput,
  shape: readonly number[],
): string {
  const order = Array.from(target.keys());
  const drawn =
    order.length <= outputsDrawn
      ? order
      : order.sort((a, b) => (target[b] ?? 0) - (target[a] ?? 0)).slice(0, outputsDrawn);
  const pick = (values: Float64Array): number[] => drawn.map((k) => values[k] ?? 0);
  const address = imageAddress(input, shape);
  const image = address === null ? '' : `<img src="${address}" alt="input ${index + 1}">`;
  const said = (values: Float64Array): number => values.indexOf(Math.max(...values));
  const classes =
    target.length === 1
      ? ''
      : `target says ${said(target)}, ticket ${said(ticket)}${label === null ? '' : `, label ${label}`}; `;
  return `<figure><div class="pair">${image}${outputsPlot(pick(target), pick(ticket), drawn.map(String))}</div>
<figcaption>input ${index + 1}: ${classes}largest difference ${formatNumber(difference)}</figcaption></figure>`;
}

function checking({ summary, target, options, folder }: ReportRun): string {
  const path = join(folder, runFiles.ticket);
  const files = { ticket: path, target: target.path };
  const commands = [
    exportCommand(files, options, { format: 'onnx', out: 'ticket.onnx' }),
    exportCommand(files, options, { format: 'target', out: 'target.safetensors' }),
    `python3 test/numpy/check_ticket.py ${quote(fromHere(path))} target.safetensors`,
  ];
  return `<section>
<h2>Check it yourself</h2>
<p>With Tombola, from the seed and the bits alone:</p>
<pre><code>${escapeMarkup(verifyCommand(files, options))}</code></pre>
<p>With other software: export the ticket to PyTorch, ONNX Runtime or NumPy, or let a short NumPy script without any of Tombola’s code rebuild the random network and check every block.</p>
<pre><code>${escapeMarkup(commands.join('\n'))}</code></pre>
<table class="facts">
<tr><td>ticket</td><td>${formatBytes(summary.ticketBytes)}</td></tr>
<tr><td>its SHA-256</td><td><code>${summary.ticketSha256}</code></td></tr>
<tr><td>digest of the target</td><td><code>${summary.targetSha256}</code></td></tr>
</table>
</section>`;
}

function honesty({ summary }: ReportRun): string {
  const points = [
    'The bound holds in exact arithmetic for every input in the declared range, and for no other. For deep networks it is far above what data show.',
    ...(summary.mode === 'exact'
      ? [
          'The ticket equals the <em>quantised</em> target. How far that is from the target itself is measured on images, not bounded.',
        ]
      : []),
    'Agreement, accuracy and errors speak of the images given, and of nothing else.',
    'Running either network in float32 adds rounding of its own, about one part in 10,000 to one in a million of the largest output.',
    ...(summary.missingCopies
      ? [
          `${formatCount(summary.missingCopies)} copies that were wanted were not found; the ticket does with fewer.`,
        ]
      : []),
  ];
  return `<section>
<h2>What this does not say</h2>
<ul>${points.map((point) => `<li>${point}</li>`).join('')}</ul>
</section>`;
}

function tile(name: string, value: string, remark: string): string {
  return `<div><dt>${escapeMarkup(name)}</dt><dd>${escapeMarkup(value)}<small>${escapeMarkup(remark)}</small></dd></div>`;
}

function table(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const head = header.map((text) => `<th scope="col">${escapeMarkup(text)}</th>`).join('');
  const body = rows
    .map((cells) => `<tr>${cells.map((cell) => `<td>${escapeMarkup(cell)}</td>`).join('')}</tr>`)
    .join('');
  return `<div class="scroll" role="region" aria-label="layers" tabindex="0"><table><thead><tr>${head}</tr></thead><tbody>${body}</tbody></table></div>`;
}

function errorShare({ maxAbsError, outputScale }: Summary): string {
  return maxAbsError === null || !outputScale ? '–' : formatShare(maxAbsError / outputScale);
}

/** 6.79 M rather than 6,790,123. */
function short(value: number): string {
  return value >= 1e6 ? `${formatNumber(value / 1e6)} M` : formatCount(value);
}
