/** Keys that change under running services: what the commands make of it, as child processes on loopback. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { hasNats, startNats } from '../support/nats-servers.ts';
import { type Running, runTombola, startTombola } from '../support/tombola-process.ts';

let folder = '';
const running = new Set<Running>();
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'tombola-keys-'));
});
afterEach(async () => {
  for (const { process } of running) process.kill('SIGKILL');
  await Promise.all([...running].map(({ finished }) => finished));
  running.clear();
  rmSync(folder, { recursive: true, force: true });
});

function start(
  args: readonly string[],
  token = '',
  variables: Readonly<Record<string, string>> = {},
): Running {
  const started = startTombola([...args, '--threads', '1'], folder, { TOMBOLA_TOKEN: token, ...variables });
  running.add(started);
  return started;
}

/** Makes a token; the keys are `--data DIR` or `--engine URL`. */
async function tokenOf(scope: string, keys: readonly string[]): Promise<string> {
  const { stdout } = await runTombola(['token', ...keys, '--scope', scope], folder);
  return stdout.trim();
}

describe('a node', () => {
  const data = ['--data', 'data'];
  const serve = ['node', ...data, '--port', '0'];

  test('goes on with a new token when its key has ended a day after a rotation', async () => {
    await tokenOf('read', data);
    const node = start(serve);
    await node.said('connected to');
    expect((await runTombola(['token', ...data, '--rotate'], folder)).code).toBe(0);
    const path = join(folder, 'data', 'keys.json');
    const keys = JSON.parse(readFileSync(path, 'utf8'));
    writeFileSync(path, JSON.stringify({ ...keys, rotatedAtMs: keys.rotatedAtMs - 25 * 3600 * 1000 }));
    await node.said(/new token[\s\S]*connected to/);
    node.process.kill('SIGTERM');
    expect((await node.finished).code).toBe(0);
  });

  test('whose worker is refused for another reason ends with a failure that says why', async () => {
    const read = await tokenOf('read', data);
    const node = start(serve);
    await node.said('connected to');
    const url = /Coordinator at (\S+),/.exec(node.stdout())?.[1] ?? '';
    const status = ['status', '--coordinator', url, '--json'];
    const { stdout } = await runTombola(status, folder, { TOMBOLA_TOKEN: read });
    const [id = ''] = JSON.parse(stdout).workers[0].worker.split('/');
    const typo = await runTombola(['token', 'revoke', 'nope', ...data], folder);
    expect(typo).toMatchObject({
      code: 0,
      stderr: expect.stringMatching(/the id nope .* an id has 24 digits/),
    });
    expect((await runTombola(['token', 'revoke', id, ...data], folder)).code).toBe(0);
    const { code, stderr } = await node.finished;
    expect(code).toBe(1);
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^Cannot go on working: .*revoked/);
  });
});

test.skipIf(!hasNats)(
  'a token that is revoked in the engine ends its worker, and opens nothing',
  async () => {
    const nats = await startNats(1);
    try {
      const engine = ['--engine', nats.url, '--engine-replicas', '1'];
      const [read, worker] = [await tokenOf('read', engine), await tokenOf('worker', engine)];
      const coordinator = start(['serve', ...engine, '--engine-unchecked', '--port', '0']);
      await coordinator.said('"event":"started"');
      const url = /"url":"([^"]+)"/.exec(coordinator.stderr())?.[1] ?? '';
      const solver = start(['worker', url], worker);
      await solver.said('connected to');
      const revoked = await runTombola(['token', 'revoke', worker, ...engine, '--json'], folder);
      expect(JSON.parse(revoked.stdout)).toEqual({ revoked: worker.split('.')[3] });
      expect(await solver.finished).toMatchObject({ code: 1, stderr: expect.stringMatching(/was revoked/) });
      const again = start(['worker', url], worker);
      expect(await again.finished).toMatchObject({ code: 1 });
      const status = ['status', '--coordinator', url, '--json'];
      const { stdout } = await runTombola(status, folder, { TOMBOLA_TOKEN: read });
      expect(JSON.parse(stdout).workers).toEqual([]);
    } finally {
      for (const { process } of running) process.kill('SIGKILL');
      await nats.close();
    }
  },
);

test.skipIf(!hasNats)(
  'a coordinator that is killed leaves none of the engine’s keys on its machine',
  async () => {
    const nats = await startNats(1);
    try {
      const engine = ['--engine', nats.url, '--engine-replicas', '1'];
      await tokenOf('read', engine);
      const temporary = join(folder, 'temporary');
      mkdirSync(temporary);
      const serve = ['serve', ...engine, '--engine-unchecked', '--port', '0'];
      const coordinator = start(serve, '', { TMPDIR: temporary });
      await coordinator.said(/"event":"started".*"needsToken":true/);
      coordinator.process.kill('SIGKILL');
      await coordinator.finished;
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      await nats.close();
    }
  },
);
