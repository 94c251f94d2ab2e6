/**
 * The command as users have it: the real bin, as a child process, on the bundled example.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exampleFile, type Finished, runTombola, startTombola } from '../support/tombola-process.ts';

const target = exampleFile('digits-mlp.onnx');
const images = exampleFile('digits-images.idx.gz');
const labels = exampleFile('digits-labels.idx.gz');
const data = ['--images', images, '--labels', labels, '--scale', '255'];

let folder = '';
let found: Finished;
const inFolder = (name: string): string => join(folder, name);
const ticketOf = (run: string): string => join(folder, run, 'ticket.safetensors');
const tombola = (...args: string[]): Promise<Finished> => runTombola(args, folder);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'tombola-cli-'));
  found = await tombola('search', target, ...data, '--threads', '2', '--out', 'run', '--json');
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe('search', () => {
  test('finds a ticket for the example, verifies it, and prints its figures as JSON alone', () => {
    expect(found.stderr).toBe('');
    expect(found.code).toBe(0);
    const summary = JSON.parse(found.stdout);
    expect(summary).toMatchObject({ verified: true, mode: 'tolerance', targetDepth: 3, sourceDepth: 4 });
    expect(summary.agreement).toBeGreaterThan(0.95);
    expect(summary.accuracy.target).toBeGreaterThan(0.95);
    expect(summary.maxAbsError).toBeLessThanOrEqual(summary.certifiedBound);
    expect(summary.quantisedMaxAbsError).toBeNull();
  });

  test('leaves a run folder with the ticket, its figures and a model card, and no solved tiles', () => {
    const summary = JSON.parse(readFileSync(inFolder('run/summary.json'), 'utf8'));
    expect(summary.ticketSha256).toBe(JSON.parse(found.stdout).ticketSha256);
    expect(readFileSync(ticketOf('run')).length).toBe(summary.ticketBytes);
    expect(readFileSync(inFolder('run/README.md'), 'utf8')).toMatch(/^---\nlibrary_name: tombola\n/);
    expect(readFileSync(inFolder('run/report.html'), 'utf8')).toContain('of 500 images');
    expect(existsSync(inFolder('run/state'))).toBe(false);
    for (const line of readFileSync(inFolder('run/metrics.jsonl'), 'utf8').trim().split('\n'))
      expect(JSON.parse(line)).toHaveProperty('layer/copies');
  });

  test('finds the same ticket with another number of threads, from a config file', async () => {
    writeFileSync(inFolder('options.yaml'), `scale: 255\nthreads: 1\nepsilon: 0.5\n`);
    const args = ['--config', 'options.yaml', '--epsilon', '0.01', '--out', 'one-thread', '--json'];
    const { code, stdout } = await tombola('search', target, ...args);
    expect(code).toBe(0);
    expect(JSON.parse(stdout).ticketSha256).toBe(JSON.parse(found.stdout).ticketSha256);
  });

  test('in exact mode equals the quantised target, in as many blocks as planned', async () => {
    const { code, stdout } = await tombola('search', target, '--exact', ...data, '--limit', '20', '--json');
    expect(code).toBe(0);
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({ verified: true, mode: 'exact', images: 20, residualMax: [0, 0, 0] });
    expect(summary.quantisedMaxAbsError).toBeLessThan(1e-3 * summary.outputScale);
    const planned = await tombola('plan', target, '--exact', '--scale', '255', '--json');
    expect(JSON.parse(planned.stdout).blocks).toBe(summary.blocks);
  });

  test('names its folder so that a second run of the example does not collide', async () => {
    const first = JSON.parse((await tombola('example', '--json')).stdout);
    const second = JSON.parse((await tombola('example', '--json')).stdout);
    expect(second.folder).toBe(`${first.folder}-2`);
    expect(second.ticketSha256).toBe(first.ticketSha256);
  });

  test('finds a folder for any name, and prints no path that would be read as an option', async () => {
    const long = await tombola('search', target, '--scale', '255', '--name', 'x'.repeat(300), '--json');
    expect(long).toMatchObject({ code: 0, stderr: '' });
    const dashed = await tombola('search', target, '--scale', '255', '--out', '-x');
    expect(dashed.stdout).toContain('Verify: npx tombola verify ./-x/ticket.safetensors ');
  });

  test('prints its cost with --dry-run, and makes no folder', async () => {
    const { code, stdout } = await tombola('search', target, '--dry-run', '--json', '--out', 'dry');
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ targetDepth: 3, sourceDepth: 4 });
    expect(JSON.parse(stdout).blocks).toBe(JSON.parse(found.stdout).blocks);
    expect(existsSync(inFolder('dry'))).toBe(false);
  });
});

describe('resume', () => {
  const hard = ['--epsilon', '0.0005', '--threads', '1'];

  test('after SIGINT goes on with what was solved and finds the same ticket as a run in one go', async () => {
    const whole = await tombola('search', target, ...hard, '--out', 'whole', '--json');
    const run = startTombola(['search', target, ...hard, '--out', 'broken'], folder);
    await run.said('Searching layer 2 of 3');
    run.process.kill('SIGINT');
    const interrupted = await run.finished;
    expect(interrupted.stderr).toContain('tombola search --resume broken');
    expect(interrupted.code).toBe(1);
    expect(existsSync(ticketOf('broken'))).toBe(false);
    const resumed = await tombola('search', '--resume', 'broken', '--threads', '2', '--json');
    expect(resumed.code).toBe(0);
    expect(JSON.parse(resumed.stdout).ticketSha256).toBe(JSON.parse(whole.stdout).ticketSha256);
    expect(readFileSync(inFolder('broken/metrics.jsonl'), 'utf8')).toContain('"tile/resumed":true');
  });

  test('is refused for a complete run, for another option, and when the target has changed', async () => {
    expect(await tombola('search', '--resume', 'run')).toMatchObject({ code: 2 });
    mkdirSync(inFolder('started'));
    const config = JSON.parse(readFileSync(inFolder('run/config.json'), 'utf8'));
    writeFileSync(
      inFolder('started/config.json'),
      JSON.stringify({ ...config, targetSha256: '0'.repeat(64) }),
    );
    const changed = await tombola('search', '--resume', 'started');
    expect(changed).toMatchObject({ code: 2, stdout: '' });
    expect(changed.stderr).toMatch(/^Cannot resume started: the target .* has changed/);
    const optioned = await tombola('search', '--resume', 'started', '--seed', '2');
    expect(optioned).toMatchObject({ code: 2, stderr: expect.stringContaining('--seed') });
  });
});

describe('verify', () => {
  const verify = (ticket: string, ...args: string[]): Promise<Finished> =>
    tombola('verify', ticket, '--target', target, ...args);

  test('says yes to the ticket that search wrote, without images and with them', async () => {
    const alone = await verify(ticketOf('run'), '--json');
    expect(alone.code).toBe(0);
    expect(JSON.parse(alone.stdout)).toMatchObject({ verified: true, agreement: null });
    const readable = await verify(ticketOf('run'), '--readable', '--json');
    expect({ ...JSON.parse(readable.stdout), seconds: 0 }).toEqual({
      ...JSON.parse(alone.stdout),
      seconds: 0,
    });
    const compared = await verify(ticketOf('run'), ...data, '--skip', '100', '--limit', '50');
    expect(compared.code).toBe(0);
    expect(compared.stdout).toMatch(/^Verified:/m);
  });

  test('says no to a ticket with one flipped mask bit, and where', async () => {
    const bytes = readFileSync(ticketOf('run'));
    const { data_offsets: offsets } = headerOf(bytes)['source.2.masks'];
    const at = 8 + Number(bytes.readBigUInt64LE(0)) + offsets[0];
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(inFolder('flipped.safetensors'), bytes);
    const { code, stdout } = await verify('flipped.safetensors');
    expect(code).toBe(1);
    expect(stdout).toMatch(/NOT verified: not what was sealed: source\.2\.masks; .*row/);
    expect((await verify('flipped.safetensors', '--readable')).stdout).toBe(stdout);
  });

  test('says no to a ticket whose seed differs in one digit', async () => {
    const bytes = readFileSync(ticketOf('run'));
    const seed = Buffer.from('\\"seed\\":\\"1\\"');
    const at = bytes.indexOf(seed);
    expect(at).toBeGreaterThan(0);
    bytes[at + seed.length - 3] = 0x32;
    writeFileSync(inFolder('reseeded.safetensors'), bytes);
    const { code, stdout } = await verify('reseeded.safetensors');
    expect(code).toBe(1);
    expect(stdout).toMatch(/NOT verified/);
  });

  test('says no when the target is another one', async () => {
    const bytes = readFileSync(target);
    const middle = Math.floor(bytes.length / 2);
    // The lowest byte of a float32 weight: still a sound model.
    bytes[middle - (middle % 4)] = (bytes[middle - (middle % 4)] ?? 0) ^ 1;
    writeFileSync(inFolder('other.onnx'), bytes);
    const { code, stdout } = await tombola('verify', ticketOf('run'), '--target', 'other.onnx');
    expect(code).toBe(1);
    expect(stdout).toMatch(/NOT verified: the ticket was made for the target/);
  });
});

describe('export', () => {
  const exportTicket = (format: string, ...more: string[]): Promise<Finished> =>
    tombola('export', ticketOf('run'), '--target', target, '--format', format, ...more);

  test('writes a file for PyTorch and prints the line that makes the model', async () => {
    const { code, stdout } = await exportTicket('torch', '--out', 'torch.safetensors');
    expect(code).toBe(0);
    expect(stdout).toMatch(/model = nn\.Sequential\(nn\.Linear\(144, \d+\), nn\.ReLU\(\), .*10\)\)\n$/);
    expect(Object.keys(headerOf(readFileSync(inFolder('torch.safetensors'))))).toContain('0.weight_orig');
  });

  test('of the target says nothing of the source, which is not in it', async () => {
    const { code, stdout } = await exportTicket('target', '--out', 'target.safetensors');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ *format +target$/m);
    expect(stdout).not.toMatch(/source|pruned/);
  });

  test('replaces no file unless told to', async () => {
    writeFileSync(inFolder('kept.onnx'), 'mine');
    const refused = await exportTicket('onnx', '--out', 'kept.onnx');
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(refused.stderr).toMatch(/^Cannot write kept\.onnx: it is there already; .*--force\n$/);
    expect(readFileSync(inFolder('kept.onnx'), 'utf8')).toBe('mine');
    const { code, stdout } = await exportTicket('onnx', '--out', 'kept.onnx', '--force', '--json');
    expect(code).toBe(0);
    const [file] = JSON.parse(stdout).files;
    expect(file).toEqual({ path: 'kept.onnx', bytes: readFileSync(inFolder('kept.onnx')).length });
  });

  test('replaces neither the target nor the ticket, whatever it is told', async () => {
    copyFileSync(target, inFolder('own.onnx'));
    for (const out of [inFolder('own.onnx'), ticketOf('run')]) {
      const before = readFileSync(out);
      const args = ['--target', 'own.onnx', '--format', 'onnx', '--out', out, '--force'];
      const { code, stderr } = await tombola('export', ticketOf('run'), ...args);
      expect(code).toBe(2);
      expect(stderr).toMatch(/^Cannot write .*: the (target|ticket) .* would be lost; name another --out\n$/);
      expect(readFileSync(out)).toEqual(before);
    }
  });

  test('writes nothing of a corrupted ticket', async () => {
    const bytes = readFileSync(ticketOf('run'));
    const [begin = 0] = headerOf(bytes)['source.2.masks'].data_offsets;
    const at = 8 + Number(bytes.readBigUInt64LE(0)) + begin;
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(inFolder('corrupted.safetensors'), bytes);
    const args = [
      'export',
      'corrupted.safetensors',
      '--target',
      target,
      '--format',
      'npz',
      '--out',
      'corrupted.npz',
    ];
    const { code, stderr } = await tombola(...args);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Cannot export corrupted\.safetensors: it does not verify: .*source\.2\.masks/);
    expect(existsSync(inFolder('corrupted.npz'))).toBe(false);
  });
});

// A device that is always full stands for a full disk where the system has one.
test.skipIf(!existsSync('/dev/full'))('a full disk, and the run can be resumed', async () => {
  mkdirSync(inFolder('full'));
  const config = JSON.parse(readFileSync(inFolder('run/config.json'), 'utf8'));
  writeFileSync(inFolder('full/config.json'), JSON.stringify(config));
  symlinkSync('/dev/full', inFolder('full/metrics.jsonl'));
  const result = await tombola('search', '--resume', 'full', '--json');
  expect(result.code).toBe(1);
  expect(result.stderr).toMatch(/^Cannot write into full: the disk is full; .*--resume full\n$/);
  unlinkSync(inFolder('full/metrics.jsonl'));
  const resumed = await tombola('search', '--resume', 'full', '--json');
  expect(JSON.parse(resumed.stdout).ticketSha256).toBe(JSON.parse(found.stdout).ticketSha256);
});

test.skipIf(!existsSync('/dev/full'))('a result that cannot be printed is told in one line', async () => {
  const bin = fileURLToPath(new URL('../../src/cli/tombola.mjs', import.meta.url));
  const full = openSync('/dev/full', 'w');
  const child = spawn(process.execPath, [bin, 'inspect', target], { stdio: ['ignore', full, 'pipe'] });
  closeSync(full);
  let stderr = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const [code] = await once(child, 'close');
  expect(stderr).toBe('Cannot print the result: the disk is full; check where the output goes\n');
  expect(code).toBe(1);
});

test('inspect tells a target from a ticket', async () => {
  copyFileSync(ticketOf('run'), inFolder('some.file'));
  expect(JSON.parse((await tombola('inspect', target, '--json')).stdout)).toMatchObject({
    kind: 'target',
    depth: 3,
  });
  expect(JSON.parse((await tombola('inspect', 'some.file', '--json')).stdout)).toMatchObject({
    kind: 'ticket',
    seed: '1',
    changedTensors: [],
  });
});

function headerOf(bytes: Buffer): Record<string, { data_offsets: [number, number] }> & {
  'source.2.masks': { data_offsets: [number, number] };
} {
  return JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE(0))).toString('utf8'));
}
