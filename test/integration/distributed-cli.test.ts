/**
 * The distributed commands as users have them: the real bin as child processes on loopback, on the bundled example.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { freePort } from '../support/free-port.ts';
import { hasNats, isRecentNats, startNats } from '../support/nats-servers.ts';
import { exampleFile, type Finished, type Running, startTombola } from '../support/tombola-process.ts';

const target = exampleFile('digits-mlp.onnx');
const scaled = ['--scale', '255'];
const data = [
  '--images',
  exampleFile('digits-images.idx.gz'),
  '--labels',
  exampleFile('digits-labels.idx.gz'),
];
/** A dozen tiles or a few more. */
const hard = [...scaled, '--epsilon', '0.0002', '--seed', '5'];

let folder = '';
const inFolder = (name: string): string => join(folder, name);
const running = new Set<Running>();

function start(args: readonly string[], variables: Record<string, string> = {}): Running {
  const started = startTombola(args, folder, variables);
  running.add(started);
  started.finished.then(
    () => running.delete(started),
    () => running.delete(started),
  );
  return started;
}

const tombola = (...args: string[]): Promise<Finished> => start(args).finished;

function end(each: Running, signal: NodeJS.Signals): Promise<Finished> {
  each.process.kill(signal);
  return each.finished;
}

async function endAll(): Promise<void> {
  await Promise.all([...running].map((each) => end(each, 'SIGKILL')));
}

async function startCoordinator(
  directory: string,
  { args = [], variables = {} }: { args?: readonly string[]; variables?: Record<string, string> } = {},
): Promise<{ process: Running; url: string; port: string }> {
  const started = start(['serve', '--data', directory, '--threads', '1', '--port', '0', ...args], variables);
  await started.said('"event":"started"');
  const url = /"url":"([^"]+)"/.exec(started.stderr())?.[1] ?? '';
  return { process: started, url, port: new URL(url).port };
}

async function startWorker(url: string, variables: Record<string, string> = {}): Promise<Running> {
  const started = start(['worker', url, '--threads', '1'], variables);
  await started.said('connected to');
  return started;
}

/** Has a process killed before it has sent so many messages over WebSockets and one more. */
function killedAfter(messageCount: number): Record<string, string> {
  const preload = new URL('../support/failpoint-preload.mjs', import.meta.url).href;
  return { NODE_OPTIONS: `--import ${preload}`, FAILPOINT: `socket.send:${2 * messageCount}` };
}

const shaOf = (run: string): string =>
  JSON.parse(readFileSync(inFolder(`${run}/summary.json`), 'utf8')).ticketSha256;

/** Returns what a command says that ends with one line on stderr and nothing on stdout. */
async function refusal(code: number, args: readonly string[], token?: string): Promise<string> {
  const variables: Record<string, string> = token === undefined ? {} : { TOMBOLA_TOKEN: token };
  const result = await start(args, variables).finished;
  expect(result.stderr.trim().split('\n')).toHaveLength(1);
  expect(result).toMatchObject({ code, stdout: '' });
  return result.stderr;
}

const hasOpenssl = ((): boolean => {
  try {
    execFileSync('openssl', ['version']);
    return true;
  } catch {
    return false;
  }
})();

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tombola-many-'));
});
afterAll(async () => {
  await endAll();
  rmSync(folder, { recursive: true, force: true });
});

describe('a coordinator and two workers', () => {
  let url = '';
  let at: string[] = [];
  beforeAll(async () => {
    ({ url } = await startCoordinator('data'));
    at = ['--coordinator', url];
    await Promise.all([startWorker(url), startWorker(url)]);
  });
  afterAll(endAll);

  test('search --coordinator leaves the run folder of a local search, with the same ticket', async () => {
    const [here, there] = await Promise.all([
      tombola('search', target, ...scaled, ...data, '--out', 'here', '--json'),
      tombola('search', target, ...scaled, ...data, ...at, '--out', 'there', '--json'),
    ]);
    expect(there).toMatchObject({ code: 0, stderr: '' });
    const [mine, theirs] = [JSON.parse(here.stdout), JSON.parse(there.stdout)];
    const { seconds: _, blocksPerSecond: __, folder: ___, ...figures } = mine;
    expect(theirs).toMatchObject({ ...figures, verified: true });
    expect(readdirSync(inFolder('there')).toSorted()).toEqual(readdirSync(inFolder('here')).toSorted());
    const ticket = (run: string): Buffer => readFileSync(inFolder(`${run}/ticket.safetensors`));
    expect(ticket('there').equals(ticket('here'))).toBe(true);
  });

  test('submit prints an id that status, fetch and verify work with', async () => {
    const submitted = await tombola('submit', target, ...scaled, ...at, '--seed', '7', '--name', 'seventh');
    expect(submitted.code).toBe(0);
    const job = submitted.stdout.trim();
    const over = await tombola('status', job, ...at, '--watch', '--json');
    expect(over.code).toBe(0);
    const last = JSON.parse(over.stdout.trim().split('\n').at(-1) ?? '');
    expect(last).toMatchObject({ job, name: 'seventh', state: 'done' });
    expect(last.workers).toHaveLength(2);
    const [all, table, fetched, against] = await Promise.all([
      tombola('status', ...at),
      tombola('status', job, ...at),
      tombola('fetch', job, ...at, '--out', 'fetched', ...scaled, ...data, '--json'),
      tombola('fetch', job, ...at, '--out', 'against', '--target', target),
    ]);
    expect(all.stdout).toContain(job);
    expect(all.stdout.match(/trusted/g)).toHaveLength(2);
    expect(table.stdout).toContain(last.result.ticketBlob);
    expect(JSON.parse(fetched.stdout)).toMatchObject({
      verified: true,
      seed: '7',
      images: 500,
      ticketSha256: last.result.ticketBlob,
    });
    const ticket = 'fetched/ticket.safetensors';
    expect(await tombola('verify', ticket, '--target', 'fetched/target.safetensors')).toMatchObject({
      code: 0,
    });
    expect(against.stdout).toMatch(/^Verified:/m);
    const unscaled = ['fetch', job, ...at, '--out', 'unscaled', ...data, '--scale', '1'];
    expect(await refusal(2, unscaled)).toMatch(/hold the input .*name the right --scale/);
    expect(existsSync(inFolder('unscaled'))).toBe(false);
    expect(await refusal(1, ['cancel', job, ...at])).toMatch(/it is done, expected a running one/);
  });

  test('what cannot be is refused in one line', async () => {
    const { port } = new URL(url);
    const cases: [message: RegExp, code: number, args: string[]][] = [
      [/no such job; .*tombola status/, 2, ['status', 'f'.repeat(32), ...at]],
      [/expected the id that submit/, 2, ['cancel', '../x', ...at]],
      [/without a coordinator/, 2, ['submit', target]],
      [/listen on 127\.0\.0\.1:\d+: .*free port/, 2, ['serve', '--data', 'other', '--port', port]],
      [/in use by another process/, 2, ['serve', '--data', 'data', '--port', '0']],
    ];
    const said = await Promise.all(cases.map(([, code, args]) => refusal(code, args)));
    cases.forEach(([message], index) => {
      expect(said[index]).toMatch(message);
    });
  });
});

describe('without a coordinator', () => {
  test.concurrent.for<[string, number, RegExp, string[]]>([
    [
      'an address where nobody listens',
      1,
      /nobody listens there; .*tombola serve/,
      ['status', '--coordinator', 'http://127.0.0.1:57'],
    ],
    [
      'a plain address elsewhere',
      2,
      /without encryption.*--insecure/,
      ['status', '--coordinator', 'http://192.0.2.1'],
    ],
    ['no URL', 2, /expected https:/, ['status', '--coordinator', 'localhost:1']],
    ['a token and no coordinator', 2, /--token without --coordinator/, ['search', target, '--token', 'x']],
    [
      'serving from a folder that cannot be made',
      2,
      /Cannot make the folder \/proc\/x: .*another --data/,
      ['serve', '--data', '/proc/x', '--port', '0'],
    ],
    ['serving nowhere', 2, /--data DIR/, ['serve']],
    ['serving others unencrypted', 2, /without encryption/, ['serve', '--data', 'd', '--host', '0.0.0.0']],
    ['half a certificate', 2, /give both/, ['serve', '--data', 'd', '--cert', target]],
    ['a worker of no gateway', 2, /missing required argument/, ['worker']],
    ['a worker on a plain address elsewhere', 2, /without encryption/, ['worker', 'ws://192.0.2.1']],
    ['a token of no scope', 2, /--scope admin \| submit/, ['token', '--data', 'd', '--scope', 'root']],
    [
      'a token for no time',
      2,
      /--ttl-hours "0"/,
      ['token', '--data', 'd', '--scope', 'read', '--ttl-hours', '0'],
    ],
  ])('%s', async ([, code, message, args]) => {
    expect(await refusal(code, args)).toMatch(message);
  });
});

describe('a coordinator of its own', () => {
  afterEach(endAll);

  test('each scope may do its own, and no token reaches a log', async () => {
    const token = async (scope: string, ...args: string[]): Promise<string> => {
      const made = await tombola('token', '--data', 'guarded', '--scope', scope, ...args);
      expect(made.stdout).toMatch(/^\S+\n$/);
      return made.stdout.trim();
    };
    const read = await token('read');
    const [submit, worker, stale] = await Promise.all([
      token('submit'),
      token('worker'),
      token('read', '--ttl-hours', '1e-7'),
    ]);
    expect(statSync(inFolder('guarded/keys.json')).mode & 0o777).toBe(0o600);
    const { url, process } = await startCoordinator('guarded');
    const status = ['status', '--coordinator', url];
    const send = ['submit', target, ...scaled, '--coordinator', url];
    const messages = await Promise.all([
      refusal(2, status),
      refusal(2, status, stale),
      refusal(2, status, `${read}x`),
      refusal(2, status, worker),
      refusal(2, send, read),
    ]);
    const unfit = await tombola('worker', url, '--threads', '1', '--token', read, '--json');
    expect(unfit.code).toBe(1);
    expect(unfit.stderr.trim().split('\n').at(-1)).toMatch(/^Cannot go on working: .*token/);
    expect(messages[0]).toMatch(/without a token of scope read; .*--scope read/);
    expect(messages[1]).toMatch(/not valid there/);
    expect(messages[2]).toMatch(/not valid there/);
    expect(messages[3]).toMatch(/for something else, not read/);
    expect(messages[4]).toMatch(/for something else, not submit/);
    const good = await Promise.all([
      start(status, { TOMBOLA_TOKEN: read }).finished,
      start(send, { TOMBOLA_TOKEN: submit }).finished,
    ]);
    expect(good.map(({ code }) => code)).toEqual([0, 0]);
    const other = await token('submit');
    const notMine = ['cancel', good[1]?.stdout.trim() ?? '', '--coordinator', url];
    expect(await refusal(2, notMine, other)).toMatch(/it is somebody else's, expected a token with the id/);
    await cancelWithout(read, { submit, job: good[1]?.stdout.trim() ?? '', url });
    const solver = start(['worker', url, '--threads', '1'], { TOMBOLA_TOKEN: worker });
    await solver.said('connected to');
    const revoked = await tombola('token', 'revoke', worker, '--data', 'guarded', '--json');
    expect(JSON.parse(revoked.stdout)).toEqual({ revoked: worker.split('.')[3] });
    expect(await solver.finished).toMatchObject({ code: 1, stderr: expect.stringMatching(/was revoked/) });
    const { stderr, code } = await end(process, 'SIGTERM');
    expect(code).toBe(0);
    for (const secret of [read, submit, worker, stale]) {
      const mac = secret.split('.').at(-1) ?? '';
      expect(mac.length).toBeGreaterThan(20);
      expect([stderr, ...messages, solver.stderr()].join()).not.toContain(mac);
    }
  });

  test('a worker and the coordinator are killed in the middle, and the ticket has the same bytes', async () => {
    // Of a dozen tiles each is acknowledged with a message of its own, and two workers were welcomed: after 16 messages some are not done.
    const args = ['--port', String(await freePort())];
    const { process, url } = await startCoordinator('killed', { args, variables: killedAfter(16) });
    const first = await startWorker(url, killedAfter(3));
    const search = start(['search', target, ...hard, '--coordinator', url, '--out', 'killed-run']);
    expect((await first.finished).stderr).toContain('failpoint');
    await startWorker(url);
    expect((await process.finished).stderr).toContain('failpoint');
    await search.said('trying again');
    await startCoordinator('killed', { args });
    const [{ code, stdout }] = await Promise.all([
      search.finished,
      tombola('search', target, ...hard, '--threads', '1', '--out', 'killed-here', '--json'),
    ]);
    expect(stdout).toMatch(/^Verified:/m);
    expect(code).toBe(0);
    expect(shaOf('killed-run')).toBe(shaOf('killed-here'));
  });

  test('a coordinator whose port is taken ends, whatever jobs it has to go on with', async () => {
    const { process, url } = await startCoordinator('unfinished');
    const submitted = await tombola('submit', target, ...hard, '--coordinator', url);
    expect(submitted.code).toBe(0);
    await end(process, 'SIGTERM');
    const { port } = await startCoordinator('taken');
    const { code, stderr } = await start(['serve', '--data', 'unfinished', '--port', port]).finished;
    expect(stderr).toMatch(/listen on 127\.0\.0\.1:\d+: .*free port/);
    expect(code).toBe(2);
  });

  test('a search whose coordinator stays away says how to come back to it, and can', async () => {
    const args = ['--port', String(await freePort())];
    const { process, url } = await startCoordinator('away', { args });
    const run = ['search', target, ...scaled, '--coordinator', url, '--out', 'away-run'];
    const search = start([...run, '--retry-seconds', '0']);
    await search.said('planning, solving');
    await end(process, 'SIGKILL');
    const { code, stderr } = await search.finished;
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(
      /^Cannot reach the coordinator .*The job itself goes on.*tombola search --resume away-run --coordinator http/,
    );
    const never = ['search', target, ...scaled, '--coordinator', url, '--out', 'never-run'];
    expect(await refusal(1, never)).toMatch(/\. Go on with: .*--resume never-run --coordinator http/);
    await startCoordinator('away', { args });
    await startWorker(url);
    const resumed = await tombola('search', '--resume', 'away-run', '--coordinator', url, '--json');
    expect(JSON.parse(resumed.stdout)).toMatchObject({ verified: true });
  });

  test.skipIf(!hasOpenssl)('over TLS, only a certificate that is trusted will do', async () => {
    const [key, cert] = [inFolder('key.pem'), inFolder('cert.pem')];
    const subject = ['-subj', '/CN=tombola', '-addext', 'subjectAltName=IP:127.0.0.1'];
    const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
    execFileSync('openssl', ['req', '-x509', ...curve, '-keyout', key, '-out', cert, ...subject], {
      stdio: 'ignore',
    });
    const { url } = await startCoordinator('tls', { args: ['--cert', cert, '--key', key] });
    expect(url).toMatch(/^https:/);
    expect(await refusal(1, ['status', '--coordinator', url])).toMatch(/certificate .*NODE_EXTRA_CA_CERTS/);
    const variables = { NODE_EXTRA_CA_CERTS: cert };
    const worker = start(['worker', url, '--threads', '1'], variables);
    await worker.said('connected to wss:');
    const { code, stdout } = await start(['status', '--coordinator', url, '--json'], variables).finished;
    expect(code).toBe(0);
    expect(JSON.parse(stdout).workers).toHaveLength(1);
    // A node's own name need not be in its certificate.
    const port = String(await freePort());
    const node = ['node', '--data', 'node', '--host', '0.0.0.0', '--port', port, '--threads', '1'];
    const advertised = ['--cert', cert, '--key', key, '--advertise', `https://127.0.0.1:${port}`];
    await start([...node, ...advertised], variables).said(`connected to wss://127.0.0.1:${port}`);
  });

  test.skipIf(!hasNats)('a node over NATS does all that a search needs', async () => {
    const nats = await startNats(1);
    try {
      const checked = isRecentNats ? ['--engine-monitor', ...nats.monitors] : ['--engine-unchecked'];
      const engine = ['--engine', nats.url, '--engine-replicas', '1', ...checked];
      const node = start(['node', ...engine, '--port', '0', '--threads', '1']);
      await node.said('connected to');
      const url = /Coordinator at (\S+),/.exec(node.stdout())?.[1] ?? '';
      const { stdout } = await tombola('search', target, ...scaled, '--coordinator', url, '--json');
      expect(JSON.parse(stdout)).toMatchObject({ verified: true });
      expect((await end(node, 'SIGTERM')).code).toBe(0);
    } finally {
      await endAll();
      await nats.close();
    }
  });
});

/** Nobody works on the job yet, so it cannot end by itself. */
async function cancelWithout(
  read: string,
  { submit, job, url }: { submit: string; job: string; url: string },
): Promise<void> {
  const at = ['--coordinator', url];
  expect(await refusal(2, ['cancel', job, ...at], read)).toMatch(/for something else/);
  expect(await refusal(1, ['fetch', job, ...at], submit)).toMatch(/it is running \(.*%\)/);
  const variables = { TOMBOLA_TOKEN: submit };
  expect(await start(['cancel', job, ...at], variables).finished).toMatchObject({ code: 0 });
  const status = await start(['status', job, ...at, '--watch', '--json'], variables).finished;
  expect(status.code).toBe(1);
  expect(JSON.parse(status.stdout)).toMatchObject({ state: 'cancelled' });
  expect(await refusal(1, ['fetch', job, ...at], submit)).toMatch(/it is cancelled/);
  expect(existsSync(inFolder('runs'))).toBe(false);
}

describe('a coordinator for volunteers', () => {
  afterEach(endAll);

  test('serves their page when it is told to, and says where', async () => {
    const { process, url } = await startCoordinator('open', { args: ['--volunteers'] });
    expect((await fetch(`${url}/volunteer`)).status).toBe(200);
    expect((await fetch(`${url}/join`, { method: 'POST' })).status).toBe(201);
    expect((await end(process, 'SIGTERM')).stdout).toContain(`lend a browser at ${url}/volunteer`);
  });

  test('does not unless it is told', async () => {
    const { url } = await startCoordinator('shut');
    expect((await fetch(`${url}/volunteer`)).status).toBe(404);
    expect((await fetch(`${url}/join`, { method: 'POST' })).status).toBe(403);
  });

  test('names only gateways that workers can connect to', async () => {
    const args = ['serve', '--data', 'odd', '--port', '0', '--gateway', 'ftp://example.org'];
    expect(await refusal(2, args)).toMatch(/Cannot connect to ftp:\/\/example\.org.* a URL like https:/);
  });
});
