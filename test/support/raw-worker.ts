/** A worker that says what a test tells it to: the real codec over a real socket, and no manners of its own. */
import { WebSocket } from 'ws';
import { decodeGatewayMessage, encodeMessage } from '../../src/core/protocol/codec.ts';
import { problemOf } from '../../src/core/protocol/layer-spec.ts';
import { tileOf } from '../../src/core/protocol/lease-tile.ts';
import { encodeResultBody } from '../../src/core/protocol/mask-code.ts';
import type {
  GatewayMessage,
  Hello,
  Lease,
  Result,
  Spec,
  WorkerMessage,
} from '../../src/core/protocol/messages.ts';
import { kernelDigest, loadKernel } from '../../worker/kernel/kernel.ts';

/** A connection to a gateway. */
export interface RawWorker {
  send(message: WorkerMessage): void;
  sendRaw(data: Uint8Array | string): void;
  /** Resolves with the next message of the kind, leaving out others; rejects when the connection ends first. */
  next<Kind extends GatewayMessage['kind']>(kind: Kind): Promise<Extract<GatewayMessage, { kind: Kind }>>;
  readonly closed: Promise<{ readonly code: number; readonly reason: string }>;
  close(): void;
}

/** Returns a connection, once it is made. */
export async function connectRaw(
  url: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<RawWorker> {
  const socket = new WebSocket(`${url.replace(/^http/, 'ws')}/ws`, { perMessageDeflate: false, headers });
  const inbox: GatewayMessage[] = [];
  const listeners = new Set<() => void>();
  const closed = new Promise<{ code: number; reason: string }>((resolve) => {
    socket.once('close', (code, reason) => resolve({ code, reason: reason.toString() }));
  });
  socket.on('message', (data) => {
    inbox.push(decodeGatewayMessage(data as Buffer));
    for (const listen of [...listeners]) listen();
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('error', () => undefined);
  return {
    send: (message) => socket.send(encodeMessage(message)),
    sendRaw: (data) => socket.send(data),
    next: (kind) =>
      new Promise((resolve, reject) => {
        const look = (): void => {
          const index = inbox.findIndex((message) => message.kind === kind);
          if (index < 0) return;
          listeners.delete(look);
          resolve(inbox.splice(index, 1)[0] as never);
        };
        listeners.add(look);
        closed.then(({ code, reason }) => reject(new Error(`closed with ${code}: ${reason}`)));
        look();
      }),
    closed,
    close: () => socket.terminate(),
  };
}

/** Returns a hello that is let in, but for what is changed. */
export function helloOf(changed: Partial<Hello> = {}): Hello {
  return {
    kind: 'hello',
    protocolMin: 1,
    protocolMax: 1,
    build: kernelDigest,
    runtime: 'node',
    workerId: 'raw',
    sessionId: 'raw-1',
    threads: 1,
    blocksPerSecond: 0,
    token: '',
    holding: [],
    ...changed,
  };
}

/** Returns a connection whose session is open. */
export async function joinRaw(
  url: string,
  changed: Partial<Hello> = {},
  headers: Readonly<Record<string, string>> = {},
): Promise<RawWorker> {
  const worker = await connectRaw(url, headers);
  worker.send(helloOf(changed));
  await worker.next('welcome');
  return worker;
}

const kernel = await loadKernel();

/** Returns the right result for a lease. */
export function resultFor(lease: Lease, spec: Spec): Result {
  const problem = problemOf(spec);
  const tile = tileOf(lease);
  const body = encodeResultBody(problem, tile, kernel.solveTile(problem, tile));
  const { job, tile: id, spec: digest, token, attempt } = lease;
  return { kind: 'result', job, tile: id, spec: digest, token, attempt, body, computeMs: 1 };
}
