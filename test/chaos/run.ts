/**
 * Command: real processes that are killed, paused and starved of disk. Prints a line of JSON for each scenario; exits with 1 at the
 * first acknowledged result that is lost or ticket that is not the one of one machine.
 *
 *   --kills N [--seed N] [--workers N]   kill -9 at random moments, each victim started again at once
 *   --failpoints [--lanes N]             coordinator and worker die at their nth call of the store or a socket, for every n
 *   --same-bytes                         the ticket's digest in process, with 1 and 8 workers, after 20 kills, after a restart
 *   --pauses                             SIGSTOP and SIGCONT of a worker and of the coordinator
 *   --full-disk                          the data directory on a tmpfs that fills up; needs root
 *   --second-owner                       a hundred others try to open the directory of a coordinator
 *   --cluster [--tiles N] [--kills N]    commits to three NATS servers, and gateways over them, while servers, gateways and
 *                                        workers are killed; needs nats-server
 *   --cluster-gateways [--kills N]       only the gateways
 *   --cluster-cuts N                     gateways are cut off from NATS N times
 *   --cluster-load                       only what a result costs gateways and servers
 */
import { parseArgs } from 'node:util';
import { failpoints } from './failpoints.ts';
import { fullDisk } from './full-disk.ts';
import { killCycles } from './kill-cycles.ts';
import { raceCommits, raceUnconfirmed } from './nats/commits.ts';
import { engineCuts } from './nats/cuts.ts';
import { gatewayDeath, gatewayKills } from './nats/gateways.ts';
import { makeJobs } from './nats/jobs.ts';
import { gatewayLoad } from './nats/load.ts';
import { pausedCoordinator, pausedWorker } from './pauses.ts';
import { oneCoordinator, sameBytes } from './same-bytes.ts';
import { secondOwner } from './second-owner.ts';

const { values } = parseArgs({
  options: {
    kills: { type: 'string' },
    seed: { type: 'string', default: '1' },
    workers: { type: 'string', default: '2' },
    failpoints: { type: 'boolean', default: false },
    lanes: { type: 'string', default: '2' },
    'same-bytes': { type: 'boolean', default: false },
    pauses: { type: 'boolean', default: false },
    'full-disk': { type: 'boolean', default: false },
    'second-owner': { type: 'boolean', default: false },
    cluster: { type: 'boolean', default: false },
    'cluster-gateways': { type: 'boolean', default: false },
    'cluster-cuts': { type: 'string' },
    'cluster-load': { type: 'boolean', default: false },
    tiles: { type: 'string', default: '10000' },
  },
});

function onCycle(text: string): void {
  process.stderr.write(`${text}\n`);
}

async function scenario(name: string, run: () => Promise<object>): Promise<void> {
  process.stdout.write(`${JSON.stringify({ scenario: name, ...(await run()) })}\n`);
}

if (values.cluster) {
  const tiles = Number(values.tiles);
  await scenario('commits while NATS servers are killed', () =>
    raceCommits({ tiles, committers: 4, onStep: onCycle }),
  );
  await scenario('a harness that does not wait for commits is caught', () =>
    raceUnconfirmed({ tiles, onStep: onCycle }),
  );
}
const first = Number(values.seed);
const cuts = values['cluster-cuts'] ?? (values.cluster ? '20' : undefined);
const isShared = values.cluster || values['cluster-gateways'] || values['cluster-load'];
if (values.cluster || values['cluster-gateways']) {
  const jobs = await makeJobs(first);
  const kills = Number(values.kills ?? 20);
  const common = { jobs, seed: first, onStep: onCycle };
  await scenario('one coordinator with its own engine', () => oneCoordinator(jobs));
  await scenario('one gateway over NATS', () => gatewayKills({ ...common, gateways: 1, kills: 0 }));
  await scenario('three gateways over NATS', () => gatewayKills({ ...common, gateways: 3, kills }));
  await scenario("a gateway's death", () => gatewayDeath(jobs));
}
if (cuts !== undefined)
  await scenario('gateways cut off from NATS', () =>
    engineCuts({ cuts: Number(cuts), seed: first, onStep: onCycle }),
  );
if (values.cluster || values['cluster-load'])
  await scenario('load of one gateway and of two', async () =>
    gatewayLoad(await makeJobs(first, { count: 4, hidden: 600 })),
  );
if (values.kills !== undefined && !isShared) {
  const [kills, seed, workers] = [Number(values.kills), Number(values.seed), Number(values.workers)];
  await scenario('kills', () => killCycles({ kills, seed, workers, onCycle }));
}
if (values.failpoints)
  for (const victim of ['coordinator', 'worker'] as const)
    await scenario(`failpoints of the ${victim}`, () =>
      failpoints(victim, { lanes: Number(values.lanes), onCycle }),
    );
if (values['same-bytes']) await scenario('same bytes', sameBytes);
if (values.pauses) {
  await scenario('paused worker', pausedWorker);
  await scenario('paused coordinator', () => pausedCoordinator(8000));
}
if (values['full-disk'])
  for (const isKilled of [false, true])
    await scenario(`full disk${isKilled ? ', coordinator killed' : ''}`, () => fullDisk({ isKilled }));
if (values['second-owner']) await scenario('second owner', () => secondOwner(100));
