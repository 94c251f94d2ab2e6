/** `serve --tile-seconds`, with the real bin on loopback: tiles may take as long as one likes, and the ticket is the same. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { exampleFile, type Running, startTombola } from '../support/tombola-process.ts';

const target = [exampleFile('digits-mlp.onnx'), '--scale', '255', '--epsilon', '0.005', '--rule', 'closest'];
const folder = mkdtempSync(join(tmpdir(), 'tombola-tiles-'));
const services: Running[] = [];

afterAll(async () => {
  for (const { process } of services) process.kill('SIGKILL');
  await Promise.all(services.map(({ finished }) => finished));
  rmSync(folder, { recursive: true, force: true });
});

async function startService(args: readonly string[], text: string): Promise<Running> {
  const service = startTombola(args, folder);
  services.push(service);
  await service.said(text);
  return service;
}

async function tombola(...args: string[]): Promise<string> {
  const { code, stdout, stderr } = await startTombola(args, folder).finished;
  expect(code, stderr).toBe(0);
  return stdout;
}

/** Searches with a coordinator that cuts such tiles, and returns how many its first layer had. */
async function tileCountOf(seconds: string): Promise<number> {
  const data = ['--data', `data-${seconds}`, '--port', '0', '--threads', '1'];
  const coordinator = await startService(['serve', ...data, '--tile-seconds', seconds], '"event":"started"');
  const url = /"url":"([^"]+)"/.exec(coordinator.stderr())?.[1] ?? '';
  await startService(['worker', url, '--threads', '1'], 'connected to');
  await tombola('search', ...target, '--coordinator', url, '--out', seconds);
  const { jobs } = JSON.parse(await tombola('status', '--coordinator', url, '--json'));
  return jobs[0].progress.layers[0].tilesKnown;
}

test('tiles of a tenth of a second and of a minute give the ticket of one machine', async () => {
  const [short, long] = await Promise.all([
    tileCountOf('0.1'),
    tileCountOf('60'),
    tombola('search', ...target, '--threads', '1', '--out', 'here'),
  ]);
  expect(short).toBeGreaterThan(long);
  const ticketOf = (run: string): Buffer => readFileSync(join(folder, run, 'ticket.safetensors'));
  for (const run of ['0.1', '60']) expect(ticketOf(run).equals(ticketOf('here'))).toBe(true);
});

test.each([
  ['serve', '0.09'],
  ['serve', '0'],
  ['node', '600.1'],
  ['node', 'long'],
])('%s takes no --tile-seconds %s', async (command, seconds) => {
  const args = [command, '--data', 'refused', '--tile-seconds', seconds];
  const stderr = `Cannot use --tile-seconds "${seconds}": expected a number from 0.1 to 600\n`;
  expect(await startTombola(args, folder).finished).toMatchObject({ code: 2, stdout: '', stderr });
});
