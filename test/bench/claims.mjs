/** What the benchmark must show, and whether it did. */
import { quantity } from './report.mjs';

const kernelRow = (what) => ({ group: 'kernel', row: what });

/** Each names a row, which of its numbers is meant, and the least or the most that it may be. */
const claims = [
  { ...kernelRow('fewest, plain, n = 15, ε = 1e-2'), of: 'ratio', least: 1 },
  { ...kernelRow('fewest, plain, n = 20, ε = 1e-2'), of: 'ratio', least: 1 },
  { ...kernelRow('fewest, plain, n = 15, ε = 1e-3'), of: 'ratio', least: 3 },
  { ...kernelRow('closest, plain, n = 20, ε = 1e-2'), of: 'ratio', least: 1 },
  { ...kernelRow('closest, plain, n = 30, ε = 1e-2'), of: 'ratio', least: 1 },
  { ...kernelRow('fewest, plain, n = 20, ε = exact int8'), of: 'value', least: 2e6 },
  { group: 'philox', row: 'kernel', of: 'value', least: 200e6 },
  { group: 'verifier', row: 'verify, baseline: solve; fewest, n = 20, ε = 1e-2', of: 'cost', most: 0.5 },
  { group: 'verifier', row: 'verify, baseline: solve; closest, n = 24, ε = 1e-2', of: 'cost', most: 0.05 },
  { group: 'threads', row: 'two threads, baseline: one; wall time', of: 'ratio', least: 1.9 },
  { group: 'targets', row: 'mlp-300-100-relu, ε = 1e-2: plan, solve and verify', of: 'value', most: 30 },
  { group: 'targets', row: 'mlp-300-100-relu, ε = 1e-2: solve', of: 'value', most: 5 },
  { group: 'wide', row: /^4096 × 4096.*end of verify$/, of: 'value', most: 4000 },
];

/** What a claim is about, in words. */
const titles = {
  ratio: (claim) => `${claim.row}: times the baseline`,
  value: (claim) => (typeof claim.row === 'string' ? claim.row : '4096 × 4096: peak memory'),
  cost: (claim) => claim.row.replace('verify, baseline: solve;', 'verifying over solving:'),
};

/** Returns every claim with what was measured; `measured` is absent where the row was not, or has no baseline. */
export function checkClaims(groups) {
  return claims.map((claim) => {
    const { least, most, of } = claim;
    const row = (groups[claim.group] ?? []).find(({ name }) =>
      typeof claim.row === 'string' ? name === claim.row : claim.row.test(name),
    );
    const unit = of === 'value' ? (row?.unit ?? '') : '';
    const found = row === undefined ? undefined : numberOf(row, of);
    return {
      name: `${claim.group}: ${titles[of](claim)}`,
      wanted: least === undefined ? `≤ ${quantity(most, unit)}` : `≥ ${quantity(least, unit)}`,
      measured: found === undefined ? undefined : quantity(found, unit),
      holds: found !== undefined && (least === undefined ? found <= most : found >= least),
    };
  });
}

function numberOf({ value, ratio }, of) {
  if (of === 'value') return value;
  if (ratio === undefined) return undefined;
  return of === 'ratio' ? ratio : 1 / ratio;
}
