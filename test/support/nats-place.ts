/** The inside of an engine over NATS, for tests: what no engine would write. */
import { jetstreamManager } from '@nats-io/jetstream';
import { Kvm } from '@nats-io/kv';
import { Objm } from '@nats-io/obj';
import { connect, headers } from '@nats-io/transport-node';
import type { Engine } from '../../coordinator/engine/engine.ts';
import { openNatsLink, parseNatsAddress } from '../../coordinator/engine/nats/connection.ts';
import { jobToken } from '../../coordinator/engine/nats/names.ts';
import { openNatsEngine } from '../../coordinator/engine/nats/nats-engine.ts';
import { resultStreamName, resultSubject } from '../../coordinator/engine/nats/result-stream.ts';

/** Returns an engine with a connection of its own; closing the one closes the other. */
export async function openNatsEngineAt(url: string, replicas: number): Promise<Engine> {
  const link = await openNatsLink(parseNatsAddress(url));
  try {
    const engine = await openNatsEngine(link, { replicas, blobGraceMs: -60_000 });
    return Object.assign(engine, { close: closing(engine, link) });
  } catch (error) {
    await link.close();
    throw error;
  }
}

/** Removes everything that engines have stored there. */
export async function clearNats(url: string): Promise<void> {
  const connection = await connect({ servers: url.replace('nats://', '').split(',') });
  const manager = await jetstreamManager(connection);
  for await (const name of manager.streams.names()) await manager.streams.delete(name);
  await connection.close();
}

/** Changes the record under a key of record.ts, past all checks. */
export async function changeNatsRecord(
  url: string,
  key: string,
  change: (record: Uint8Array) => Uint8Array,
): Promise<void> {
  const connection = await connect({ servers: url.replace('nats://', '').split(',') });
  const manager = await jetstreamManager(connection);
  const [kind, job = '', tile = ''] = key.split('/');
  if (kind === 'job') {
    const bucket = await new Kvm(connection).open('tombola-jobs');
    const known = await bucket.get(jobToken(job));
    await bucket.put(jobToken(job), change(known?.value ?? new Uint8Array(0)));
  } else {
    const subject = resultSubject(job, tile);
    const known = await manager.streams.getMessage(resultStreamName, { last_by_subj: subject });
    await manager.jetstream().publish(subject, change(known?.data ?? new Uint8Array(0)));
  }
  await connection.close();
}

/** Puts other bytes in the place of a blob. */
export async function damageNatsBlob(url: string, sha256: string): Promise<void> {
  const connection = await connect({ servers: url.replace('nats://', '').split(',') });
  const store = await new Objm(connection).open('tombola-blobs');
  await store.putBlob({ name: `blob.${sha256}` }, Uint8Array.of(1, 2, 3));
  await connection.close();
}

/** Makes a blob look as if it had been put so long ago. */
export async function ageNatsBlob(url: string, sha256: string, ageMs: number): Promise<void> {
  const connection = await connect({ servers: url.replace('nats://', '').split(',') });
  const manager = await jetstreamManager(connection);
  const subject = `$O.tombola-blobs.M.${Buffer.from(`blob.${sha256}`).toString('base64url')}`;
  const known = await manager.streams.getMessage('OBJ_tombola-blobs', { last_by_subj: subject });
  const mtime = new Date(Date.now() - ageMs).toISOString();
  const rollup = headers();
  rollup.set('Nats-Rollup', 'sub');
  await manager
    .jetstream()
    .publish(subject, JSON.stringify({ ...known?.json<object>(), mtime }), { headers: rollup });
  await connection.close();
}

function closing(engine: Engine, link: { close(): Promise<void> }): () => Promise<void> {
  const closeEngine = engine.close.bind(engine);
  let closed: Promise<void> | undefined;
  return () => {
    closed ??= closeEngine().then(() => link.close());
    return closed;
  };
}
