/** Reads the profiles that Node's --cpu-prof wrote: where each thread's time went. */
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const linesMax = 14;

/** Returns self times by function, one block of lines for each thread that was busy. */
export function profileText(folder) {
  const files = readdirSync(folder).filter((name) => name.endsWith('.cpuprofile'));
  return files.map((name) => threadText(join(folder, name))).join('\n');
}

function threadText(path) {
  const { nodes, samples, timeDeltas } = JSON.parse(readFileSync(path, 'utf8'));
  const byId = new Map(nodes.map((node) => [node.id, node]));
  const times = new Map();
  let total = 0;
  samples.forEach((id, index) => {
    const { functionName, url, lineNumber } = byId.get(id).callFrame;
    const place = url.replace(/^.*\/(dist|node_modules)\//, '').replace(/^file:.*\//, '');
    const name = `${functionName || '(anonymous)'} ${place}${place === '' ? '' : `:${lineNumber + 1}`}`;
    const ms = timeDeltas[index] / 1000;
    if (functionName !== '(idle)') total += ms;
    times.set(name, (times.get(name) ?? 0) + ms);
  });
  const sorted = [...times].filter(([name]) => !name.startsWith('(idle)')).sort((a, b) => b[1] - a[1]);
  const lines = sorted
    .slice(0, linesMax)
    .map(
      ([name, ms]) =>
        `${ms.toFixed(0).padStart(8)} ms ${((100 * ms) / total).toFixed(1).padStart(5)} %  ${name}`,
    );
  return [`a thread of the coordinator, busy for ${total.toFixed(0)} ms:`, ...lines].join('\n');
}
