/**
 * What the distributed version costs and withstands, over real processes and sockets on loopback:
 *
 *     npm run build && node test/bench/distributed.mjs [group …] [--json] [--seconds N] [--runs N] [--profile DIR] [--only TEXT]
 *
 *     throughput   two workers through a coordinator against the pool of one process; processor time of the coordinator; bits
 *                  on the wire; with --profile DIR also where coordinator's and workers' time goes
 *     idle         memory of a coordinator with 1,000 idle workers
 *     flood        honest workers beside 200 abusive connections
 *     forgeries    100,000 forged results of every kind
 *     status       what `tombola status` says while a job runs
 *     loop         how long the coordinator's event loop is away while it plans, hands out, verifies and seals a job
 *
 * Without a group: all. The load of the machine is printed with the figures; other programs make every rate a lower bound.
 */
import { mkdirSync } from 'node:fs';
import { cpus, loadavg } from 'node:os';
import { parseArgs } from 'node:util';
import { killAll } from './distributed/processes.mjs';

const groups = {
  throughput: () => import('./distributed/throughput.mjs'),
  idle: () => import('./distributed/idle.mjs'),
  flood: () => import('./distributed/flood.mjs'),
  forgeries: () => import('./distributed/forgeries.mjs'),
  status: () => import('./distributed/status.mjs'),
  loop: () => import('./distributed/loop.mjs'),
};
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '8' },
    runs: { type: 'string', default: '3' },
    profile: { type: 'string' },
    only: { type: 'string' },
  },
});
/** Nothing here takes longer; should it hang, it ends. */
const guard = setTimeout(() => {
  process.stderr.write('out of time\n');
  killAll();
  process.exit(1);
}, 600_000);
guard.unref();
for (const signal of ['SIGINT', 'SIGTERM'])
  process.once(signal, () => {
    killAll();
    process.exit(1);
  });

const names = positionals.length > 0 ? positionals : Object.keys(groups);
if (values.profile !== undefined) mkdirSync(values.profile, { recursive: true });
const settings = {
  seconds: Number(values.seconds),
  runs: Number(values.runs),
  profileFolder: values.profile,
  pattern: values.only,
  note: (text) => process.stderr.write(`${text}\n`),
};
const rows = [];
const loadBefore = loadavg()[0];
try {
  for (const name of names) {
    if (!Object.hasOwn(groups, name))
      throw new Error(`no group ${name}, expected one of ${Object.keys(groups)}`);
    const group = (await groups[name]())[name];
    rows.push(...(await group(settings)).map((row) => ({ group: name, ...row })));
  }
} finally {
  killAll();
}
const machine = {
  cpu: cpus()[0]?.model,
  cores: cpus().length,
  node: process.version,
  load: [loadBefore, loadavg()[0]],
};
process.stdout.write(values.json ? `${JSON.stringify({ machine, rows })}\n` : table());
process.exit(0);

function table() {
  const number = (value) =>
    typeof value !== 'number'
      ? value
      : Math.abs(value) >= 1000
        ? Math.round(value).toLocaleString('en')
        : value.toPrecision(3);
  const lines = rows.map(
    ({ group, name, value, unit = '', goal = '' }) =>
      `| ${group} | ${name} | ${number(value)} | ${unit} | ${goal} |`,
  );
  const { cpu, cores, node, load } = machine;
  return [
    `${cores} × ${cpu}, Node ${node}, load ${load.map((each) => each.toFixed(1)).join(' → ')}`,
    '',
    '| group | what | value | unit | goal |',
    '|---|---|---|---|---|',
    ...lines,
    '',
  ].join('\n');
}
