/** `tombola sweep` as users have it: killed at any moment it goes on, and repeats nothing that is finished. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { exampleFile, type Finished, runTombola, startTombola } from '../support/tombola-process.ts';

let folder = '';
const inFolder = (name: string): string => join(folder, name);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'tombola-sweep-'));
  writeFileSync(
    inFolder('small.yaml'),
    `name: small
targets: [${exampleFile('digits-mlp.onnx')}]
options:
  seed: [1, 2]
  epsilon: 0.1
  construction: [L+1, 2L]
each: [{}, {epsilon: 0.001, copies: 3, construction: L+1, seed: 1}]
columns: [sourceDepth, keptEdges]
beside: construction
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const sweep = (out: string, ...args: string[]): string[] => [
  'sweep',
  'small.yaml',
  '--out',
  out,
  '--threads',
  '1',
  ...args,
];

/** Every finished cell with its bytes and the time it was written. */
function finishedCells(out: string): Map<string, string> {
  const cells = join(folder, out, 'cells');
  const names = readdirSync(cells).filter((name) => name.endsWith('.json'));
  return new Map(
    names.map((name) => [
      name,
      `${statSync(join(cells, name)).mtimeMs} ${readFileSync(join(cells, name), 'utf8')}`,
    ]),
  );
}

/** The rows of a sweep, times aside. */
function rows(out: string): object[] {
  return readFileSync(join(folder, out, 'results.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => {
      const { seconds, ...row } = JSON.parse(line);
      return row;
    });
}

describe('a sweep', () => {
  let whole: Finished;
  beforeAll(async () => {
    whole = await runTombola(sweep('whole'), folder);
  });

  test('lists a cell that fails, does the others, and ends with 1', () => {
    expect(whole.code).toBe(1);
    expect(whole.stdout).toContain('Failed: 1 of 5 cells.');
    expect(whole.stdout).toMatch(/\| digits-mlp \| 0\.001 \| 3 \|.* Cannot plan target layer /);
    expect(rows('whole').map((row) => (row as { status: string }).status)).toEqual([
      'done',
      'done',
      'done',
      'done',
      'failed',
    ]);
    expect(whole.stdout).toMatch(/\| 0\.1 \| auto \| 4 \| .* \| 6 \| /);
  });

  test('that is complete repeats nothing but what failed', async () => {
    const before = finishedCells('whole');
    const rowsBefore = rows('whole');
    const again = await runTombola(sweep('whole'), folder);
    expect(again.stderr).toContain('4 of 5 cells are finished already.');
    expect(finishedCells('whole')).toEqual(before);
    expect(rows('whole')).toEqual(rowsBefore);
  });

  test('that is killed goes on without repeating a finished cell, to the same results', async () => {
    let before = new Map<string, string>();
    for (const moment of ['Sweep small', '2 of 5']) {
      const running = startTombola(sweep('killed', '--cells', '2'), folder);
      await running.said(moment);
      running.process.kill('SIGKILL');
      await running.finished;
      if (moment === 'Sweep small') continue;
      const after = finishedCells('killed');
      for (const [name, text] of before) expect(after.get(name)).toBe(text);
      expect(after.size).toBeGreaterThan(before.size);
      before = after;
    }
    const end = await runTombola(sweep('killed'), folder);
    expect(end.stderr).toContain(`${before.size} of 5 cells are finished already.`);
    for (const [name, text] of before) expect(finishedCells('killed').get(name)).toBe(text);
    expect(rows('killed')).toEqual(rows('whole'));
  });

  test('compares on the images that the command line names', async () => {
    const images = [
      '--images',
      exampleFile('digits-images.idx.gz'),
      '--labels',
      exampleFile('digits-labels.idx.gz'),
    ];
    const one = [
      '--seed',
      '1',
      '--construction',
      'L+1',
      '--epsilon',
      '0.1',
      '--copies',
      'auto',
      '--limit',
      '20',
    ];
    const { code, stdout } = await runTombola(sweep('compared', ...images, ...one, '--json'), folder);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toEqual({ folder: 'compared', cells: 1, failed: 0 });
    expect(rows('compared')).toMatchObject([{ images: 20, accuracyTarget: expect.any(Number) }]);
  });

  test('that is interrupted says how to go on', async () => {
    const running = startTombola(sweep('interrupted'), folder);
    await running.said('Sweep small');
    running.process.kill('SIGINT');
    const { code, stderr } = await running.finished;
    expect(code).toBe(1);
    expect(stderr).toContain('Go on with: npx tombola sweep small.yaml --out interrupted --threads 1');
  });

  test('tells its cells apart by all that differs between them', async () => {
    const args = ['--seed', '1', '--construction', 'L+1', '--epsilon', '0.1', '--copies', 'auto'];
    const { stderr } = await runTombola(sweep('rules', ...args, '--rule', 'fewest,closest'), folder);
    expect(stderr).toMatch(/^\d of 2: digits-mlp, rule fewest, seed 1$/m);
    expect(stderr).toMatch(/^\d of 2: digits-mlp, rule closest, seed 1$/m);
  });

  test('leaves a folder alone that is not its own', async () => {
    mkdirSync(inFolder('mine'));
    writeFileSync(inFolder('mine/README.md'), 'mine');
    const { code, stderr } = await runTombola(sweep('mine'), folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^Cannot sweep into mine: it holds README\.md and no cells of a sweep, expected .*--out DIR\n$/,
    );
    expect(readdirSync(inFolder('mine'))).toEqual(['README.md']);
    expect(readFileSync(inFolder('mine/README.md'), 'utf8')).toBe('mine');
  });

  test('replaces no results of another sweep', async () => {
    const before = readFileSync(inFolder('whole/results.jsonl'), 'utf8');
    const { code, stderr } = await runTombola(sweep('whole', '--seed', '1,3'), folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Cannot sweep into whole: 2 of its 4 finished cells are none of .*--out DIR\n$/);
    expect(readFileSync(inFolder('whole/results.jsonl'), 'utf8')).toBe(before);
  });

  test('into a folder that cannot be made is refused at once', async () => {
    const { code, stderr } = await runTombola(sweep('/proc/x'), folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Cannot make the folder \/proc\/x: .* name another --out\n$/);
  });

  test('that comes with Tombola says how to name the folder of its targets', async () => {
    const { code, stderr } = await runTombola(['sweep', 'mnist-mlp'], folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(
      /^Cannot read target .*: there is no such file; name its folder with --targets DIR\n$/,
    );
  });

  test('of no such file says which ones come with Tombola', async () => {
    const { code, stderr } = await runTombola(['sweep', 'none'], folder);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^Cannot sweep none: .* expected a path or one of mnist-mlp, copies, .*\n$/);
  });
});
