/**
 * Gateways that are cut off from NATS again and again, each for up to three seconds: connections are reset, or hold everything back.
 * Workers write down every acknowledgement they get.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { type Random, randomOf } from '../../sim/prng.ts';
import { type ChaosProxy, openChaosProxy } from '../../support/chaos-proxy.ts';
import { jobStatus } from '../../support/job-client.ts';
import { startNats } from '../../support/nats-servers.ts';
import { type ChaosJob, checkTicket, makeJob, submit } from '../jobs.ts';
import { Swarm, whenProgress } from './gateways.ts';

/** What came of it. */
export interface CutsReport {
  readonly cuts: Readonly<Record<'reset' | 'held', number>>;
  readonly acknowledged: number;
  /** Jobs whose tickets are those of one machine. */
  readonly jobs: number;
  readonly seconds: number;
}

const gatewayCount = 2;

/** Cuts so many times while jobs run; throws at a loss or a wrong ticket. */
export async function engineCuts(options: {
  cuts: number;
  seed: number;
  onStep: (text: string) => void;
}): Promise<CutsReport> {
  const random = randomOf(options.seed, 'engine-cuts');
  const nats = await startNats(1);
  const proxies: ChaosProxy[] = [];
  for (let index = 0; index < gatewayCount; index++)
    proxies.push(await openChaosProxy(nats.url.replace('nats', 'http')));
  const swarm = new Swarm(
    nats,
    proxies.map(({ url }) => url.replace('http', 'nats')),
  );
  const cuts = { reset: 0, held: 0 };
  const startMs = performance.now();
  try {
    for (let index = 0; index < gatewayCount; index++) await swarm.startGateway(index);
    for (let index = 0; index < 2; index++) swarm.startWorker(index);
    const submitted: { readonly id: string; readonly job: ChaosJob }[] = [];
    for (let cut = 0; cut < options.cuts; cut++) {
      const last = submitted.at(-1);
      if (last === undefined || (await isOver(swarm, last.id))) {
        const job = await makeJob(options.seed + submitted.length, 400);
        submitted.push({ id: await submit(swarm.urls[0] ?? '', job), job });
      }
      await whenProgress(swarm, random);
      const kind = await cutOff(proxies[random.below(gatewayCount)], random);
      cuts[kind]++;
      options.onStep(`${swarm.acknowledged().size} acknowledged; ${kind}`);
    }
    for (const { id, job } of submitted) await checkTicket(await swarm.liveUrl(id), id, job);
    const acknowledged = await swarm.checkStore();
    const seconds = (performance.now() - startMs) / 1000;
    return { cuts, acknowledged, jobs: submitted.length, seconds };
  } finally {
    await swarm.close();
    for (const proxy of proxies) await proxy.close();
  }
}

async function isOver(swarm: Swarm, id: string): Promise<boolean> {
  return (await jobStatus(await swarm.liveUrl(id), id)).state === 'done';
}

async function cutOff(proxy: ChaosProxy | undefined, random: Random): Promise<'reset' | 'held'> {
  const isHeld = random.chance(0.5);
  if (isHeld) proxy?.hold();
  else {
    proxy?.setFault(() => ({ kind: 'cut', direction: 'in', atByte: 1 }));
    proxy?.cut();
  }
  await delay(random.between(100, 3000));
  if (isHeld) proxy?.release();
  else proxy?.setFault(() => ({ kind: 'none' }));
  return isHeld ? 'held' : 'reset';
}
