/** Clocks and medians of the benchmarks. */

/** Returns milliseconds of processor time since `start` (of process.cpuUsage): the machine may be busy with other things. */
export function processorMs(start) {
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e3;
}

/** Returns the median of numbers; of an even count the lower of the two in the middle. */
export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1];
}

/**
 * Returns calls per second of processor time, measured for about `milliseconds`. Reading the clock costs more than a short call,
 * so calls are counted in batches that grow to about a millisecond.
 */
export function callsPerSecond(call, milliseconds) {
  const start = process.cpuUsage();
  let calls = 0;
  let spent = 0;
  let batch = 1;
  while (spent < milliseconds) {
    for (let k = 0; k < batch; k++) call();
    calls += batch;
    spent = processorMs(start);
    if (spent < 1) batch *= 2;
  }
  return (calls * 1e3) / spent;
}

/** Returns the median over `runs` of what `callsPerSecond` says, after a first run that warms up. */
export function medianRate(call, { milliseconds, runs }) {
  callsPerSecond(call, milliseconds);
  return median(Array.from({ length: runs }, () => callsPerSecond(call, milliseconds)));
}

/**
 * Measures several things in turn, run by run, so that a machine that slows down slows all of them, and returns the median of each.
 * @param measurers functions, possibly asynchronous, each of which returns one number.
 */
export async function interleaved(measurers, runs) {
  const found = measurers.map(() => []);
  for (let run = 0; run < runs; run++)
    for (const [index, measurer] of measurers.entries()) found[index].push(await measurer());
  return found.map(median);
}
