/**
 * `tombola example`, which `npm start` runs: a search on a small network that comes with the package, told to a newcomer.
 */
import { join } from 'node:path';
import { formatCount, formatShare } from '../../core/format-number.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { fromHere, verifyCommand } from '../report/command-line.ts';
import type { Summary } from '../report/summary.ts';
import { summaryText, verdictLine, widthPlot } from '../report/summary-text.ts';
import { runFiles } from '../run-folder.ts';
import { packagePath } from '../version.ts';
import { searchIntoNewFolder } from './search.ts';

const introduction = `
Tombola looks for a strong lottery ticket: it takes a network that somebody trained, draws a larger random network from a
seed, and finds out which of the random weights to keep, changing none of them, so that what is left computes the same.

The target here reads drawn digits of 12 × 12 pixels: 144 inputs, hidden layers of 64 and 32 ReLU neurons, 10 classes.
`;

/** Searches on the bundled example and explains what came out. */
export async function exampleCommand(given: RawOptions, context: CommandContext): Promise<Outcome> {
  const file = (name: string): string => fromHere(packagePath(`src/cli/example/${name}`));
  const raw = new Map([
    ['images', file('digits-images.idx.gz')],
    ['labels', file('digits-labels.idx.gz')],
    ['scale', '255'],
    ['name', 'example'],
    ...given,
  ]);
  context.note(introduction);
  const { folder, summary, search } = await searchIntoNewFolder(file('digits-mlp.onnx'), raw, context);
  if (context.isJson) {
    context.print(JSON.stringify({ ...summary, folder }, null, 2));
    return summary.verified ? 0 : 1;
  }
  const ticket = join(folder, runFiles.ticket);
  const command = verifyCommand({ ticket, target: search.target.path }, search.options);
  context.print(
    `\n${story(summary)}\n\nThe run is in ${fromHere(folder)}: the ticket, a model card, the figures.`,
  );
  context.print(`To check the ticket again, from its seed and its bits alone:\n\n  ${command}\n`);
  return summary.verified ? 0 : 1;
}

function story(summary: Summary): string {
  const { keptEdges, sourceWeights, agreement, images } = summary;
  const kept =
    keptEdges === null ? '' : `${formatCount(keptEdges)} of ${formatCount(sourceWeights)} random weights`;
  return `Widths: the price of not training is a wider network, one layer deeper.

${widthPlot(summary)}

What was kept, layer by layer, and how far the weights it stands for are from the target's:

${summaryText(summary)}

Keeping ${kept}, the ticket gives ${formatShare(agreement)} of ${formatCount(images ?? 0)} images the class that the target gives.
${verdictLine(summary)}`;
}
