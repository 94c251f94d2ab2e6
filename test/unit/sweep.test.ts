import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import type { CellOutcome } from '../../src/cli/sweep/run-sweep.ts';
import { sweepCells } from '../../src/cli/sweep/sweep-cells.ts';
import { figureNames, writeFigure } from '../../src/cli/sweep/sweep-figures.ts';
import { readSweepFile } from '../../src/cli/sweep/sweep-file.ts';
import { groupCells } from '../../src/cli/sweep/sweep-groups.ts';
import { sweepPlots } from '../../src/cli/sweep/sweep-plots.ts';
import { sweepTable } from '../../src/cli/sweep/sweep-table.ts';
import { writeResults } from '../../src/cli/sweep/write-results.ts';
import { TombolaError } from '../../src/core/errors.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { denseLayer } from '../support/evaluation-networks.ts';

const example = fileURLToPath(new URL('../../src/cli/example/', import.meta.url));
const ready = fileURLToPath(new URL('../../src/cli/sweep/', import.meta.url));

// Made at once: some cells are made while the tests are collected.
const folder = mkdtempSync(join(tmpdir(), 'tombola-sweep-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function fileOf(text: string): string {
  const path = join(folder, 'sweep.yaml');
  writeFileSync(path, text);
  return path;
}

const head = 'name: one\ntargets: [digits-mlp.onnx]\ncolumns: [error]\n';
const cellsOf = (text: string, given: Record<string, string> = {}) =>
  sweepCells(readSweepFile(fileOf(text)), { folder: example, given: new Map(Object.entries(given)) });

describe('a sweep file', () => {
  it('gives every combination of its lists, for each of its blocks', () => {
    const cells = cellsOf(
      `${head}options: {seed: [1, 18446744073709551615], copies: auto}\neach: [{epsilon: [0.1, 0.01]}, {epsilon: exact, grid-bits: [6, 8]}]\n`,
    );
    expect(
      cells.map(({ place: { seed, epsilon, gridBits } }) => [seed, epsilon, gridBits].join(' ')),
    ).toEqual([
      '1 0.1 24',
      '1 0.01 24',
      '18446744073709551615 0.1 24',
      '18446744073709551615 0.01 24',
      '1 exact 6',
      '1 exact 8',
      '18446744073709551615 exact 6',
      '18446744073709551615 exact 8',
    ]);
    expect(cells.map(({ options }) => options.plan.mode).slice(3, 5)).toEqual(['tolerance', 'exact']);
  });

  it('gives a cell that comes twice once, and lets the command line stand in for its lists', () => {
    expect(cellsOf(`${head}options: {seed: [1, 1, 2]}\n`)).toHaveLength(2);
    const given = cellsOf(`${head}options: {seed: [1, 2]}\n`, { seed: '7,8,9', construction: 'L+1,2L' });
    expect(given.map(({ place }) => `${place.seed} ${place.construction}`)).toEqual([
      '7 L+1',
      '7 2L',
      '8 L+1',
      '8 2L',
      '9 L+1',
      '9 2L',
    ]);
  });

  it('tells cells apart by every option that varies, whether in a list or on the command line', () => {
    const place =
      'options: {bias-init: [uniform, zero], seed: [1, 2]}\neach: [{}, {failure-probability: 0.1}]';
    const cells = cellsOf(`${head}${place}\n`);
    expect(new Set(cells.map((cell) => JSON.stringify(cell.place))).size).toBe(8);
    expect([...new Set(cells.map((cell) => cell.place.other))]).toEqual([
      'bias-init uniform, failure-probability 0.001',
      'bias-init zero, failure-probability 0.001',
      'bias-init uniform, failure-probability 0.1',
      'bias-init zero, failure-probability 0.1',
    ]);
    const given = cellsOf(`${head}options: {seed: [1, 2]}\n`, { 'bias-init': 'uniform,zero' });
    expect(given.map((cell) => cell.place.other)).toEqual([
      'bias-init uniform',
      'bias-init zero',
      'bias-init uniform',
      'bias-init zero',
    ]);
    const once = cellsOf(`${head}each: [{}, {input-range: '0,2'}]\n`);
    expect(once.map((cell) => cell.place.other)).toEqual(['input-range 0,1', 'input-range 0,2']);
    const images = 'images: digits-images.idx.gz, scale: 255';
    const compared = cellsOf(`${head}each: [{}, {${images}}, {${images}, limit: 9, mean: 0.5}]\n`);
    expect(compared.map((cell) => cell.place.other)).toEqual([
      'default',
      'images digits-images.idx.gz, scale 255',
      'images digits-images.idx.gz, scale 255, limit 9, mean 0.5',
    ]);
  });

  it('takes seeds with other options for no repetition, and options written otherwise for the same', () => {
    const others = (each: string): string[] =>
      cellsOf(`${head}each: [${each}]\n`).map((cell) => cell.place.other);
    expect(others('{seed: 1}, {seed: 2, bias-init: zero}')).toEqual(['bias-init uniform', 'bias-init zero']);
    expect(others('{seed: 1}, {seed: 2, bias-init: uniform, failure-probability: 1.0e-3}')).toEqual(['', '']);
  });

  it('says nothing of options that are the same for a target', () => {
    const targets = head.replace(
      '[digits-mlp.onnx]',
      '[{file: digits-mlp.onnx, name: one, mean: 0.1}, {file: digits-mlp.onnx, name: two, mean: 0.2}]',
    );
    const cells = cellsOf(`${targets}options: {seed: [1, 2], bias-init: zero}\n`);
    expect(cells.map((cell) => `${cell.place.target}${cell.place.other}`)).toEqual([
      'one',
      'one',
      'two',
      'two',
    ]);
  });

  it('refuses two targets of one name', () => {
    const other = join(folder, 'digits-mlp.safetensors');
    writeFileSync(
      other,
      encodeNetwork({ inputShape: [144], inputSteps: [], layers: [denseLayer(144, 4), denseLayer(4, 2)] }),
    );
    const both = (second: string) => head.replace(']', `, ${second}]`);
    expect(() => cellsOf(both(other))).toThrow(
      /^Cannot sweep two targets called digits-mlp: .* expected a name of its own for each/,
    );
    const cells = cellsOf(both(`{file: ${other}, name: other}`));
    expect(cells.map(({ place }) => place.target)).toEqual(['digits-mlp', 'other']);
  });

  it.each<[string, string, RegExp]>([
    ['no YAML', 'name: [', /^Cannot read sweep file .*: .* at line 1, column 8/],
    ['an unknown key', `${head}seed: 1\n`, /: unknown key "seed", expected name, about, targets/],
    [
      'an unknown option',
      `${head}options: {sed: 1}\n`,
      /: unknown option "sed", expected one of input-range, epsilon/,
    ],
    ['the number of threads', `${head}options: {threads: 1}\n`, /: unknown option "threads"/],
    [
      'an unknown option of a target',
      head.replace('[digits-mlp.onnx]', '[{file: a.onnx, colour: red}]'),
      /: unknown option "colour"/,
    ],
    ['no targets', 'name: one\ntargets: []\n', /sweep\.yaml: targets is \[\], expected a list of files/],
    ['no key for targets', 'name: one\n', /: targets is missing, expected a list of files/],
    [
      'a target that is no file',
      'name: one\ntargets: [{name: a}]\n',
      /: targets\.0 is {"name":"a"}, expected/,
    ],
    ['an unknown column', head.replace('[error]', '[eror]'), /: columns\.0 is "eror", expected .* keptEdges/],
    ['an unknown axis', `${head}beside: size\n`, /: beside is "size", expected one of target, epsilon, /],
    [
      'an empty list',
      `${head}options: {seed: []}\n`,
      /: options\.seed is \[\], expected .*a value or a list/,
    ],
    [
      'a map for a value',
      `${head}options: {seed: {a: 1}}\n`,
      /: options\.seed is {"a":"1"}, expected .*a value or a list/,
    ],
    ['a list for a file', '[1, 2]\n', /: it is \["1","2"\], expected the keys name, about, targets/],
    [
      'a name that is no folder',
      head.replace('one', 'a/b'),
      /: name is "a\/b", expected letters, digits, dots and dashes/,
    ],
    ['an alias', `${head}options: {seed: &a 1, copies: *a}\n`, /^Cannot (read|use) sweep file/],
    ['nothing', '', /: name is missing, expected letters/],
    [
      'a value that no search takes',
      `${head}options: {epsilon: [0.1, 2]}\n`,
      /^Cannot use --epsilon "2": expected/,
    ],
    ['a rule that there is not', `${head}options: {rule: most}\n`, /^Cannot use --rule "most"/],
    [
      'a target that is not there',
      head.replace('digits-mlp', 'none'),
      /^Cannot read target .*none.onnx: there is no such file; name its folder with --targets DIR$/,
    ],
    [
      'more cells than anybody waits for',
      `${head}options: {seed: [${Array.from({ length: 150 }, (_, k) => k)}], epsilon: [${Array.from({ length: 150 }, (_, k) => (k + 1) / 200)}]}\n`,
      /: 22500 cells, expected at most 10000/,
    ],
  ])('with %s is refused in one line', (_, text, message) => {
    const attempt = (): unknown => cellsOf(text);
    expect(attempt).toThrow(TombolaError);
    expect(attempt).toThrow(message);
    expect(attempt).not.toThrow(/\n/);
  });

  it('needs no columns of its own', () => {
    const { columns } = readSweepFile(fileOf('name: one\ntargets: [digits-mlp.onnx]\n'));
    expect(columns).toEqual(['sourceWeights', 'keptEdges', 'agreement', 'error']);
  });

  it('is good in each of those that come with Tombola', () => {
    const files = readdirSync(ready).filter((name) => name.endsWith('.yaml'));
    expect(files.toSorted()).toEqual([
      'copies.yaml',
      'depth.yaml',
      'digits.yaml',
      'exact-vs-tolerance.yaml',
      'mnist-mlp.yaml',
    ]);
    for (const file of files) expect(`${readSweepFile(join(ready, file)).name}.yaml`).toBe(file);
    expect(
      sweepCells(readSweepFile(join(ready, 'digits.yaml')), { folder: ready, given: new Map() }),
    ).toHaveLength(24);
  });
});

describe('the key of a cell', () => {
  const images = `images: digits-images.idx.gz, scale: 255`;
  const key = (options: string, given: Record<string, string> = {}): string | undefined =>
    cellsOf(`${head}options: {${options}}\n`, given)[0]?.key;

  it('does not depend on threads, on the name of the target, or on defaults written out', () => {
    const plain = key(images);
    expect(key(images, { threads: '1' })).toBe(plain);
    expect(key(`${images}, epsilon: 1.0e-2, seed: 0x1, construction: L+1, skip: 0`)).toBe(plain);
    const named = head.replace('[digits-mlp.onnx]', '[{file: digits-mlp.onnx, name: other}]');
    expect(cellsOf(`${named}options: {${images}}\n`)[0]?.key).toBe(plain);
  });

  it.each([
    'seed: 2',
    'epsilon: 0.02',
    'epsilon: exact',
    'copies: 12',
    'rule: closest',
    'grid-bits: 16',
    'construction: 2L',
    'limit: 10',
    'skip: 1',
    'labels: digits-labels.idx.gz',
    'bias-init: zero',
    'failure-probability: 0.01',
    'input-range: "0,2"',
  ])('depends on %s', (option) => {
    expect(key(`${images}, ${option}`)).not.toBe(key(images));
  });
});

/** Outcomes as a sweep over ε and construction would give them. */
function outcomes(): CellOutcome[] {
  const cells = cellsOf(`${head}options: {seed: [1, 2], epsilon: [0.1, 0.01], construction: [L+1, 2L]}\n`);
  return cells.map((cell, index) => {
    if (index === 5) return { cell, kind: 'failed', reason: 'no luck, "here" | <there>' };
    const error = Number(cell.place.epsilon) * (1 + Number(cell.place.seed));
    const figures = Object.fromEntries(
      figureNames.map((name) => [name, name === 'error' ? error : 100 + index]),
    );
    return { cell, kind: 'done', result: { figures: figures as never, ticketSha256: 'a'.repeat(64) } };
  });
}

describe('the table of a sweep', () => {
  const groups = groupCells(outcomes());

  it('has a row for every group, with means and intervals over seeds', () => {
    expect(
      sweepTable(groups, { columns: ['error'], beside: null })
        .split('\n')
        .slice(0, 3),
    ).toEqual([
      '| ε | construction | largest error |',
      '| --- | --- | --- |',
      '| 0.1 | L+1 | 25.00 ± 63.53 % |',
    ]);
  });

  it('puts an axis beside the others', () => {
    const [first, , row] = sweepTable(groups, { columns: ['error'], beside: 'construction' }).split('\n');
    expect(first).toBe('| ε | L+1: largest error | 2L: largest error |');
    expect(row).toBe('| 0.1 | 25.00 ± 63.53 % | 20.00 % |');
  });

  it('writes both numbers in one unit', () => {
    expect(writeFigure('keptEdges', 6_790_000, 12_000)).toBe('6.79 ± 0.01 M');
    expect(writeFigure('keptEdges', 26_535, 212)).toBe('26.5 ± 0.2 k');
    expect(writeFigure('sourceDepth', 4, 0)).toBe('4');
    expect(writeFigure('accuracyTicket', 0.958, null)).toBe('95.80 %');
  });
});

describe('the results of a sweep', () => {
  it('are one line per cell, and lists what failed', () => {
    const spec = readSweepFile(fileOf(`${head}about: what it is\n`));
    const body = writeResults(folder, spec, { outcomes: outcomes(), command: 'npx tombola sweep one' });
    expect(body).toContain('Failed: 1 of 8 cells.');
    expect(body).toContain('no luck, "here" \\| <there>');
    const lines = readFileSync(join(folder, 'results.jsonl'), 'utf8').trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).status).filter((status) => status === 'failed')).toHaveLength(
      1,
    );
    expect(JSON.parse(lines[0] ?? '')).toMatchObject({
      target: 'digits-mlp',
      seed: '1',
      epsilon: '0.1',
      error: 0.2,
    });
    const table = readFileSync(join(folder, 'results.csv'), 'utf8').trim().split('\r\n');
    expect(table).toHaveLength(9);
    expect(table[6]).toContain('"no luck, ""here"" | <there>"');
    const page = readFileSync(join(folder, 'README.md'), 'utf8');
    for (const [, file] of page.matchAll(/!\[.*?\]\((.*?)\)/g))
      expect(readFileSync(join(folder, file ?? ''), 'utf8')).toMatch(/^<svg .*<\/svg>\n$/s);
    expect(page).toContain('npx tombola sweep one');
  });
});

describe('the plots of a sweep', () => {
  const plots = sweepPlots(groupCells(outcomes()));

  it('are those that its axes and figures allow', () => {
    expect(plots.map(({ file }) => file)).toEqual([
      'error-against-epsilon.svg',
      'error-against-kept-edges.svg',
      'observed-against-predicted-misses.svg',
      'time.svg',
    ]);
    expect(sweepPlots([]).map(({ file }) => file)).toEqual([]);
  });

  it('are well-formed, name their series, and need nothing from elsewhere', () => {
    for (const { svg, title } of plots) {
      expect(svg.match(/<(\w+)[^>]*[^/]>/g)?.length).toBe(svg.match(/<\/\w+>/g)?.length);
      expect(svg).toContain(title);
      expect(svg.replace('http://www.w3.org/2000/svg', '')).not.toMatch(/https?:|href|<script|NaN|⚠/);
    }
    expect(plots[0]?.svg).toMatch(/>L\+1<.*>2L</s);
  });
});
