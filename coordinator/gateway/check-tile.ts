/** Checks a worker's result: decodes it, verifies it, and encodes it for the engine. */
import { createHash, randomFillSync } from 'node:crypto';
import { decodeTileResult, encodeTileResult } from '../../src/core/format/tile-result.ts';
import type { TileResult } from '../../src/core/plan/tile.ts';
import { decodeResultBody } from '../../src/core/protocol/mask-code.ts';
import { ProtocolError } from '../../src/core/protocol/protocol-error.ts';
import { verifyTile } from '../../src/core/verify/verify-tile.ts';
import type { TileCheckReply, TileCheckTask } from './tile-check-task.ts';

/** Returns the verdict on a result. */
export function checkTile({ problem, tile, body, form, checkOneIn }: TileCheckTask): TileCheckReply {
  let result: TileResult | undefined;
  try {
    result = form === 'plain' ? decodeTileResult(body) : decodeResultBody(problem, tile, body);
  } catch (error) {
    if (error instanceof ProtocolError) return { kind: 'refused', reason: error.message };
    throw error;
  }
  if (result === undefined) return { kind: 'refused', reason: 'the body is damaged' };
  const isChecked = checkOneIn === 1 ? () => true : secretSample(result.copyRows.length, checkOneIn);
  const verified = verifyTile(problem, { tile, result, isChecked });
  if (verified.kind === 'refused') return { kind: 'refused', reason: verified.reason };
  const value = form === 'plain' ? body : encodeTileResult(result);
  const digest = createHash('sha256').update(value).digest('hex');
  return { kind: 'verified', value, digest, claimsMisses: result.misses.length > 0 };
}

/** Whom the sample hits must not be known before the result is in, so it is drawn here and from the system's generator. */
function secretSample(count: number, oneIn: number): (copy: number) => boolean {
  const chances = randomFillSync(new Uint32Array(count));
  return (copy) => (chances[copy] ?? 0) * oneIn < 2 ** 32;
}
