/** Random numbers per second: the kernel's generator against the native one, and the verifier's own in TypeScript. */
import { PhiloxStream } from '../../../dist/src/core/random/philox.js';
import { loadKernel } from '../../../dist/worker/kernel/kernel.js';
import { callsPerSecond, interleaved } from '../measure.mjs';
import { openNative } from '../native.mjs';

/** Numbers per call: 64 kB, which fits the caches as the rows of a search do. */
const perCall = 16_384;

/** Runs the group. */
export async function philox({ quick, note }) {
  const { exports } = await loadKernel();
  const native = await openNative();
  if (native.reason !== undefined) note(native.reason);
  const stream = new PhiloxStream(1n, 2);
  let place = 0;
  let sink = 0;
  const milliseconds = quick ? 20 : 200;
  const inKernel = () => {
    exports.allocateLayer(0, 0, 0, 0, 0, 0, 0, 0, 10);
    exports.numbersOf(1n, 2n, BigInt(place), perCall / 16, 24);
    place += perCall;
  };
  const read = (step) => () => {
    for (let k = 0; k < perCall; k++, place += step) sink ^= stream.at(place);
  };
  const rate = (call) => () => callsPerSecond(call, milliseconds) * perCall;
  const nativeRate = async () => Number(await native.ask(`numbers ${milliseconds}`));
  const measurers = [rate(inKernel), rate(read(1)), rate(read(9))];
  for (const measurer of measurers) measurer();
  if (native.ask !== undefined) measurers.push(nativeRate);
  const [kernel, dense, sparse, baseline] = await interleaved(measurers, quick ? 1 : 5);
  await native.close?.();
  if (!Number.isInteger(sink)) throw new Error('the numbers are no whole numbers');
  const unit = 'numbers/s';
  return [
    { name: 'kernel', value: kernel, unit, baseline },
    { name: 'verifier (TypeScript), all numbers', value: dense, unit },
    { name: 'verifier (TypeScript), every ninth number', value: sparse, unit },
  ];
}
