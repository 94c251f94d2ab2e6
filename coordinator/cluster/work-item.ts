/**
 * A tile as a work item: one byte that says what follows, then
 *
 *   0  a `grant` of this one tile as gateways send it to workers (src/core/protocol/messages.ts), with a lease token of zeros
 *   1  nothing: the same lies in the object store, since it is too large for a message
 *
 * The layer's spec lies in the object store, once per layer, as the `spec` message that workers get. Who reads an item checks what
 * workers check: its tile's id is a hash of all that it says, and the layer's digest too.
 */
import { natsInlineBytesMax } from '../../src/core/limits.ts';
import type { LayerProblem } from '../../src/core/plan/tile.ts';
import { decodeGatewayMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import { problemOf, specOf } from '../../src/core/protocol/layer-spec.ts';
import { checkTile, leaseOf, tileOf } from '../../src/core/protocol/lease-tile.ts';
import type { ObjectBlobs } from '../engine/nats/object-blobs.ts';
import type { TileWork } from '../jobs/ledger-port.ts';

/** An item, or what it refers to, is not what it has to be, and will not be until its driver puts it again. */
export class DamagedItem extends Error {
  override readonly name = 'DamagedItem';
}

/** Where the parts of items lie that are too large for them. */
type Objects = Pick<ObjectBlobs, 'putSpec' | 'readSpec'>;

const inlineForm = 0;
const objectForm = 1;
const noToken = new Uint8Array(28);

/** Writes the items of one job. */
export class ItemWriter {
  private readonly objects: Objects;
  private readonly job: string;
  private specs = new WeakMap<LayerProblem, Promise<void>>();

  constructor(objects: Objects, job: string) {
    this.objects = objects;
    this.job = job;
  }

  /** Returns the item of a tile, once all that it refers to is stored. */
  async write({ problem, problemDigest, tile }: TileWork): Promise<Uint8Array> {
    await this.storeSpec(problem, problemDigest);
    const { job } = this;
    const lease = leaseOf(tile, { job, spec: problemDigest, token: noToken, attempt: 1, leaseMs: 1 });
    const grant = encodeMessage({ kind: 'grant', leases: [lease] });
    if (grant.length <= natsInlineBytesMax) return prefixed(inlineForm, grant);
    await this.objects.putSpec(job, tile.id, grant);
    return prefixed(objectForm, new Uint8Array(0));
  }

  /** Stores anew what the items to come refer to: it may have been removed. */
  forgetStored(): void {
    this.specs = new WeakMap();
  }

  private storeSpec(problem: LayerProblem, digest: string): Promise<void> {
    const known = this.specs.get(problem);
    if (known !== undefined) return known;
    const storing = this.objects.putSpec(this.job, digest, encodeMessage(specOf(problem, digest)));
    const { specs } = this;
    specs.set(problem, storing);
    storing.catch(() => specs.delete(problem));
    return storing;
  }
}

/** Reads items of all jobs; tiles of one layer get the same problem as long as it is remembered. */
export class ItemReader {
  private readonly objects: Objects;
  private readonly layersMax: number;
  private readonly problems = new Map<string, Promise<LayerProblem>>();

  constructor(objects: Objects, layersMax: number) {
    this.objects = objects;
    this.layersMax = layersMax;
  }

  /** @throws ProtocolError, DamagedItem when it, or what it refers to, is damaged or missing; TombolaError (failure) when it cannot be read now. */
  async read(job: string, tile: string, item: Uint8Array): Promise<TileWork> {
    const grant = item[0] === inlineForm ? item.subarray(1) : await this.readObject(job, tile);
    const message = decodeGatewayMessage(grant);
    const lease = message.kind === 'grant' ? message.leases[0] : undefined;
    if (lease === undefined || lease.tile !== tile)
      throw new DamagedItem(`Cannot read the work item of tile ${tile}: it is another's`);
    const problem = await this.problemOf(job, lease.spec);
    const work = { problem, problemDigest: lease.spec, tile: tileOf(lease) };
    checkTile(problem, work.tile);
    return work;
  }

  private problemOf(job: string, digest: string): Promise<LayerProblem> {
    const key = `${job}/${digest}`;
    const known = this.problems.get(key);
    const problem = known ?? this.readProblem(job, digest);
    // The one that was used longest ago goes first.
    this.problems.delete(key);
    this.problems.set(key, problem);
    if (known === undefined) problem.catch(() => this.problems.delete(key));
    const [oldest] = this.problems.keys();
    if (this.problems.size > this.layersMax && oldest !== undefined) this.problems.delete(oldest);
    return problem;
  }

  private async readProblem(job: string, digest: string): Promise<LayerProblem> {
    const message = decodeGatewayMessage(await this.readObject(job, digest));
    if (message.kind !== 'spec' || message.digest !== digest)
      throw new DamagedItem(`Cannot read layer ${digest} of job ${job}: what is stored is something else`);
    return problemOf(message);
  }

  private async readObject(job: string, name: string): Promise<Uint8Array> {
    const bytes = await this.objects.readSpec(job, name);
    if (bytes === undefined)
      throw new DamagedItem(`Cannot read ${name} of job ${job}: it is not in the engine`);
    return bytes;
  }
}

function prefixed(form: number, bytes: Uint8Array): Uint8Array {
  const item = new Uint8Array(1 + bytes.length);
  item[0] = form;
  item.set(bytes, 1);
  return item;
}
