/** Reads the profiles that Node's --cpu-prof wrote: where each thread's time went. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const linesMax = 14;

/** Time in which a thread does nothing, whatever the profiler says. */
const waiting = new Set(['(idle)', 'atomicsWaitLoop']);

/** Returns self times by function, one block of lines for each thread; a folder for each kind of process. */
export function profileText(folder) {
  const kinds = readdirSync(folder).sort();
  return kinds
    .flatMap((kind) =>
      readdirSync(join(folder, kind)).map((name) => threadText(kind, join(folder, kind, name))),
    )
    .join('\n');
}

function threadText(kind, path) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map();
  let total = 0;
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    const place = url.replace(/^.*\/(dist|node_modules)\//, '').replace(/^file:.*\//, '');
    if (waiting.has(functionName)) return;
    const name = `${functionName || '(anonymous)'} ${place}${place === '' ? '' : `:${lineNumber + 1}`}`;
    const ms = timeDeltas[index] / 1000;
    total += ms;
    times.set(name, (times.get(name) ?? 0) + ms);
  });
  const sorted = [...times].sort((a, b) => b[1] - a[1]);
  const lines = sorted
    .slice(0, linesMax)
    .map(
      ([name, ms]) =>
        `${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / total).toFixed(1).padStart(5)} %  ${name}`,
    );
  return [`a thread of a ${kind}, busy for ${total.toFixed(0)} ms:`, ...lines].join('\n');
}
