/**
 * The README.md of a run folder: a model card in the form Hugging Face reads, YAML between dashes, then Markdown.
 */
import { basename, join } from 'node:path';
import { stringify } from 'yaml';
import { formatCount, formatNumber, formatShare } from '../../core/format-number.ts';
import type { LoadedTarget } from '../load-target.ts';
import { runFiles } from '../run-folder.ts';
import type { SearchOptions } from '../search-options.ts';
import { verifyCommand } from './command-line.ts';
import type { Summary } from './summary.ts';
import { summaryText, verdictLine, widthPlot } from './summary-text.ts';

/** Returns the model card of a run. */
export function modelCard(
  summary: Summary,
  run: { readonly target: LoadedTarget; readonly options: SearchOptions; readonly folder: string },
): string {
  const ticket = join(run.folder, runFiles.ticket);
  const claim =
    summary.mode === 'exact'
      ? "every weight it stands for equals the quantised target's, without residual"
      : `every weight it stands for is off by at most ${formatNumber(summary.epsilon)} of its layer's largest weight`;
  return `---
${stringify(frontMatter(summary)).trimEnd()}
---

# ${oneLine(summary.name)}: a strong lottery ticket

A subnetwork of a random network of depth ${summary.sourceDepth}, found by pruning alone, that computes what the trained network
\`${basename(run.target.path)}\` of depth ${summary.targetDepth} computes: ${claim}. No weight was trained; the file holds a seed and one bit per candidate edge.

${verdictLine(summary)}

\`\`\`
${summaryText(summary)}
\`\`\`

## Widths

\`\`\`
${widthPlot(summary)}
\`\`\`

## Verify it

\`\`\`
${verifyCommand({ ticket, target: run.target.path }, run.options)}
\`\`\`

The target's digest is \`${summary.targetSha256}\`, the ticket file's SHA-256 \`${summary.ticketSha256}\`.
The ticket keeps ${summary.keptEdges === null ? '–' : formatCount(summary.keptEdges)} of ${formatCount(summary.sourceWeights)} random weights${summary.agreement === null ? '' : ` and gives ${formatShare(summary.agreement)} of ${formatCount(summary.images ?? 0)} images the target's class`}.
`;
}

function frontMatter(summary: Summary): Record<string, unknown> {
  return {
    library_name: 'tombola',
    tags: ['lottery-ticket', 'pruning', 'subset-sum'],
    model_name: oneLine(summary.name),
    tombola: {
      mode: summary.mode,
      epsilon: summary.epsilon,
      rule: summary.rule,
      seed: summary.seed,
      verified: summary.verified,
      target_sha256: summary.targetSha256,
      ticket_sha256: summary.ticketSha256,
    },
  };
}

function oneLine(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
