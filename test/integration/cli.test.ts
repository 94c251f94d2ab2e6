/**
 * The command as users have it: the real bin, as a child process, on the bundled example.
 */
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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

  test('in exact mode equals the quantised target', async () => {
    const { code, stdout } = await tombola('search', target, '--exact', ...data, '--limit', '20', '--json');
    expect(code).toBe(0);
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({ verified: true, mode: 'exact', images: 20, residualMax: [0, 0, 0] });
    expect(summary.quantisedMaxAbsError).toBeLessThan(1e-3 * summary.outputScale);
  });

  test('names its folder so that a second run of the example does not collide', async () => {
    const first = JSON.parse((await tombola('example', '--json')).stdout);
    const second = JSON.parse((await tombola('example', '--json')).stdout);
    expect(second.folder).toBe(`${first.folder}-2`);
    expect(second.ticketSha256).toBe(first.ticketSha256);
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

describe('bad input gives one line and an exit code', () => {
  const cases: [what: string, code: number, message: RegExp, args: string[]][] = [
    ['no target', 2, /without a target/, ['search']],
    ['no ticket', 2, /^Cannot run tombola export: .*; see tombola export --help\n$/, ['export']],
    [
      'no token to revoke',
      2,
      /^Cannot run tombola token revoke: .*; see tombola token revoke --help\n$/,
      ['token', 'revoke'],
    ],
    [
      'a plan with images that are not there',
      2,
      /no such file/,
      ['plan', target, '--images', 'absent.idx.gz'],
    ],
    [
      'a dry run with images outside the range',
      2,
      /hold the input/,
      ['search', target, '--dry-run', ...data, '--input-range', '0,0.5'],
    ],
    ['an unknown command', 2, /unknown command 'find'/, ['find']],
    ['an unknown option', 2, /unknown option '--sed'/, ['search', target, '--sed', '1']],
    ['a missing file', 2, /no such file/, ['search', 'absent.onnx']],
    ['a folder instead of a file', 2, /it is a folder/, ['search', '.']],
    ['a file of no known format', 1, /unknown format/, ['search', images]],
    ['epsilon 0', 2, /--epsilon "0"/, ['search', target, '--epsilon', '0']],
    ['a negative epsilon', 2, /--epsilon "-0.1"/, ['search', target, '--epsilon', '-0.1']],
    ['an epsilon that is no number', 2, /--epsilon "NaN"/, ['search', target, '--epsilon', 'NaN']],
    ['epsilon beside exact', 2, /together/, ['search', target, '--exact', '--epsilon', '0.1']],
    ['a reversed range', 2, /LO below HI/, ['search', target, '--input-range', '1,0']],
    ['a seed of 2^64', 2, /below|2\^64/, ['search', target, '--seed', '18446744073709551616']],
    ['a fraction of threads', 2, /--threads "1.5"/, ['search', target, '--threads', '1.5']],
    ['labels without images', 2, /--labels without --images/, ['search', target, '--labels', labels]],
    [
      'labels of another length',
      1,
      /one label per item/,
      ['search', target, '--images', images, '--labels', 'short.idx'],
    ],
    ['images of another size', 1, /each has shape \[\]/, ['search', target, '--images', labels]],
    ['images outside the range', 2, /hold the input/, ['search', target, ...data, '--input-range', '0,0.5']],
    [
      'a skip beyond the last image',
      2,
      /smaller --skip/,
      ['search', target, '--images', images, '--skip', '500'],
    ],
    ['an output folder with contents', 2, /not empty/, ['search', target, '--scale', '255', '--out', 'run']],
    [
      'an output folder below a file',
      2,
      /a part of the path is a file/,
      ['search', target, '--out', 'short.idx/x'],
    ],
    ['an output folder that cannot be', 2, /Cannot make the folder/, ['search', target, '--out', '/proc/x']],
    [
      'an unknown key in a config file',
      2,
      /unknown key "epsilom"/,
      ['search', target, '--config', 'bad.yaml'],
    ],
    ['a resume of nothing', 2, /holds no config.json/, ['search', '--resume', 'absent']],
    ['a ticket that is none', 1, /Cannot /, ['verify', target, '--target', target]],
    ['a ticket without its target', 2, /--target FILE/, ['verify', images]],
    ['an export of no format', 2, /--format torch \| onnx/, ['export', images, '--target', target]],
    ['an export to nowhere', 2, /--out FILE/, ['export', images, '--target', target, '--format', 'npz']],
  ];
  beforeAll(() => {
    writeFileSync(inFolder('bad.yaml'), 'epsilom: 0.1\n');
    writeFileSync(inFolder('short.idx'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 2));
  });

  test.for(cases)('%s', async ([, code, message, args]) => {
    const result = await tombola(...args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result).toMatchObject({ code, stdout: '' });
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
