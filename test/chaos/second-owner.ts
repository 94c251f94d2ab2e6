/** A second coordinator on a directory that one has: it refuses, and disturbs nothing. */
import { openLocalEngine } from '../../coordinator/engine/local-engine.ts';
import { Cluster } from './cluster.ts';
import { checkTicket, makeJob, submit, tileSize } from './jobs.ts';

/** Tries to open the store so many times from another process while a job runs, once as a whole coordinator. */
export async function secondOwner(tries: number): Promise<{ tries: number; refused: number }> {
  const cluster = new Cluster({ workers: 1, tileSize });
  try {
    const job = await makeJob(1);
    await cluster.open();
    const id = await submit(cluster.url, job);
    let refused = 0;
    for (let k = 0; k < tries; k++) {
      const error = await openLocalEngine(cluster.data).then(
        () => 'it was opened',
        (reason: unknown) => String(reason),
      );
      if (!error.includes('in use by another process')) throw new Error(`expected a refusal: ${error}`);
      refused++;
    }
    await checkTicket(cluster.url, id, job);
    return { tries, refused };
  } finally {
    await cluster.close();
  }
}
