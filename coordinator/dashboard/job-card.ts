/** The model card of a job's ticket, as Markdown: what the coordinator knows of it. */
import { formatCount } from '../../src/core/format-number.ts';
import type { LiveJob } from '../../src/core/live/views.ts';
import { jobTitle, reportFigures } from './view-model.ts';

/** Returns the card; '' for a job that is not done. */
export function jobCard(job: LiveJob): string {
  const { report, options } = job;
  if (report === null || options === null) return '';
  const title = oneLine(jobTitle(job.job, job));
  return `---
library_name: tombola
tags: [lottery-ticket, pruning, subset-sum]
model_name: ${JSON.stringify(title)}
tombola:
  mode: ${options.mode}
  epsilon: ${options.epsilon}
  rule: ${options.rule}
  seed: "${options.seed}"
  verified: ${report.verdict.fault === null}
  target_sha256: ${job.targetSha256}
  ticket_sha256: ${report.ticketSha256}
---

# ${title}: a strong lottery ticket

A subnetwork of a random network, found by pruning alone, that computes what the trained network computes. No weight was trained; the
file holds a seed and one bit per candidate edge.

| | |
| --- | --- |
${reportFigures(job)
  .map(([name, value]) => `| ${name} | ${oneLine(value)} |`)
  .join('\n')}

| layer | copies | blocks | kept edges | largest residual |
| --- | --- | --- | --- | --- |
${report.verdict.layers.map((layer, index) => layerRow(job.layers[index]?.name ?? '', layer)).join('\n')}

Accuracy and error on data are measured where the data is: \`npx tombola verify ticket.safetensors --target MODEL --images FILE --labels FILE\`.
`;
}

function layerRow(name: string, layer: NonNullable<LiveJob['report']>['verdict']['layers'][number]): string {
  const { copies, blocks, keptEdges, residualMax } = layer;
  return `| ${oneLine(name)} | ${formatCount(copies)} | ${formatCount(blocks)} | ${formatCount(keptEdges)} | ${residualMax.toPrecision(3)} |`;
}

/** Names come from files: nothing in them may end a line, a cell or a code block. */
function oneLine(text: string): string {
  return text.replace(/[\p{Cc}|`]+/gu, ' ');
}
