/** Checks a worker's result: decodes it, verifies it, and makes it the value that the engine keeps. */
import { createHash, randomFillSync } from 'node:crypto';
import { decodeTileResult } from '../../src/core/format/tile-result.ts';
import type { Tile, TileResult } from '../../src/core/plan/tile.ts';
import { decodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import { openFastVerifier } from '../../src/core/verify/fast/fast-verifier.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import { storedValue } from '../engine/stored-result.ts';
import type { TileCheckReply, TileCheckTask } from './tile-check-task.ts';

/** Of this thread. */
const fast = openFastVerifier();

/** Returns the verdict on a result. */
export function checkTile({ problem, tile, body, form, checkOneIn }: TileCheckTask): TileCheckReply {
  const isChecked = checkOneIn === 1 ? () => true : secretSample(tile, checkOneIn);
  let result: TileResult | undefined;
  try {
    // What is not checked needs not be unpacked: the engine keeps the body.
    result = form === 'plain' ? decodeTileResult(body) : decodeResultBody(problem, tile, body, isChecked);
  } catch (error) {
    if (error instanceof ProtocolError) return { kind: 'refused', reason: error.message };
    throw error;
  }
  if (result === undefined) return { kind: 'refused', reason: 'the body is damaged' };
  const verified = verifyTile(problem, { tile, result, isChecked, fast });
  if (verified.kind === 'refused') return { kind: 'refused', reason: verified.reason };
  const value = storedValue(body, form);
  const digest = createHash('sha256').update(value).digest('hex');
  const { misses } = result;
  return { kind: 'verified', value, digest, claimsMisses: misses.length > 0, misses };
}

/** Whom the sample hits must not be known before the result is in, so it is drawn here and from the system's generator. */
function secretSample({ neurons }: Tile, oneIn: number): (copy: number) => boolean {
  const copiesMax = neurons.reduce((sum, { rowCount, wanted }) => sum + Math.min(rowCount, wanted), 0);
  const chances = randomFillSync(new Uint32Array(copiesMax));
  return (copy) => (chances[copy] ?? 0) * oneIn < 2 ** 32;
}
