/** Coordinator and worker within one process give what the construction gives that solves by itself. */
import { beforeAll, describe, expect, it } from 'vitest';
import type { ConstructEvent } from '../../coordinator/construct.ts';
import { memoryEngine } from '../../coordinator/engine/memory-engine.ts';
import { constructInProcess, type InProcessConstruction } from '../../src/cli/construct-in-process.ts';
import { encodeTicket } from '../../src/core/format/ticket-file.ts';
import type { Plan } from '../../src/core/plan/plan.ts';
import {
  defaultOptions,
  kernelSolver,
  type Searched,
  searchInProcess,
} from '../support/in-process-search.ts';
import { denseTarget } from '../support/small-tickets.ts';

let searched: Searched;
beforeAll(async () => {
  searched = await searchInProcess(denseTarget, defaultOptions, await kernelSolver());
});

function construction({
  plan = searched.plan,
  ...changed
}: Partial<InProcessConstruction> & { plan?: Plan }): Promise<Uint8Array> {
  const options: InProcessConstruction = {
    threads: 2,
    engine: memoryEngine(),
    targetSha256: searched.sha256,
    checkOneIn: 16,
    onEvent: () => undefined,
    signal: new AbortController().signal,
    ...changed,
  };
  return constructInProcess(plan, denseTarget, options).then(({ ticket }) => encodeTicket(ticket));
}

describe('a construction through coordinator and worker in one process', () => {
  it('ends with the words of the kernel, as a failure, at the first tile that it refuses', async () => {
    const { plan } = searched;
    const [first, ...others] = plan.layers;
    if (first === undefined) throw new Error('a plan has layers');
    const events: ConstructEvent[] = [];
    const refused = construction({
      // Products of two weights that nothing is shifted off: too large for the kernel, and for nobody before it.
      plan: { ...plan, layers: [{ ...first, sampleShift: 0 }, ...others] },
      onEvent: (event) => events.push(event),
    });
    await expect(refused).rejects.toMatchObject({
      name: 'TombolaError',
      kind: 'failure',
      message: expect.stringMatching(/^Cannot solve a layer whose .* is \d+, expected at most \d+/),
    });
    expect(events.map(({ kind }) => kind)).toEqual(['layer']);
  });

  it.each([1, 2])('gives the same bytes with %d threads', async (threads) => {
    expect(Buffer.compare(await construction({ threads }), searched.bytes)).toBe(0);
  });

  it('solves nothing twice', async () => {
    const engine = memoryEngine();
    await construction({ engine });
    const events: ConstructEvent[] = [];
    const bytes = await construction({
      engine,
      onEvent: (event) => events.push(event),
    });
    expect(Buffer.compare(bytes, searched.bytes)).toBe(0);
    const tiles = events.filter(({ kind }) => kind === 'tile');
    expect(tiles.length).toBeGreaterThan(0);
    expect(tiles.every(({ resumed }) => resumed)).toBe(true);
  });

  it('ends with the signal’s reason, and can go on after that', async () => {
    const engine = memoryEngine();
    const stop = new AbortController();
    const stopped = construction({
      engine,
      signal: stop.signal,
      onEvent: ({ kind }) => {
        if (kind === 'tile') stop.abort(new Error('enough'));
      },
    });
    await expect(stopped).rejects.toThrow('enough');
    expect(Buffer.compare(await construction({ engine }), searched.bytes)).toBe(0);
  });
});
