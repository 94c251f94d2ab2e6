/** What is wrong with a call or a file is told in one line, with an exit code that says whose it is to mend. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { writeSafetensors } from '../../src/core/format/safetensors.ts';
import { uint8Tensor } from '../../src/core/format/tensor.ts';
import { exampleFile, type Finished, runTombola } from '../support/tombola-process.ts';

const target = exampleFile('digits-mlp.onnx');
const images = exampleFile('digits-images.idx.gz');
const labels = exampleFile('digits-labels.idx.gz');
const data = ['--images', images, '--labels', labels, '--scale', '255'];

const folder = mkdtempSync(join(tmpdir(), 'tombola-bad-'));
const inFolder = (name: string): string => join(folder, name);
const tombola = (...args: string[]): Promise<Finished> => runTombola(args, folder);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

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
      'an example in a folder with contents',
      2,
      /not empty.*; name another --out\n$/,
      ['example', '--out', 'run', '--json'],
    ],
    [
      'an output folder with a run that was interrupted',
      2,
      /; to go on with the run in it use npx tombola search --resume broken-off\n$/,
      ['search', target, '--scale', '255', '--out', 'broken-off'],
    ],
    [
      'an activation that the target has',
      2,
      /leave it out \(in digits/,
      ['plan', target, '--activation', 'tanh'],
    ],
    [
      'a config file that is no JSON',
      2,
      /^Cannot read config file/,
      ['plan', target, '--config', 'bad.json'],
    ],
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
    [
      'a ticket that is none',
      1,
      /^Cannot read ticket .*digits-mlp\.onnx: it is no ticket, expected/,
      ['verify', target, '--target', target],
    ],
    [
      'a ticket that is cut off',
      1,
      /the file is cut off \(in cut\.st\)\n$/,
      ['verify', 'cut.st', '--target', target],
    ],
    ['images that are cut off', 1, /gz: .* cut off/, ['plan', target, '--images', 'cut.idx.gz']],
    ['an inspection of what is cut off', 1, /the file is cut off \(in cut\.st\)\n$/, ['inspect', 'cut.st']],
    ['a ticket without its target', 2, /--target FILE/, ['verify', images]],
    ['an export of no format', 2, /--format torch \| onnx/, ['export', images, '--target', target]],
    ['an export to nowhere', 2, /--out FILE/, ['export', images, '--target', target, '--format', 'npz']],
  ];
  beforeAll(() => {
    const file = writeSafetensors(new Map([['x', uint8Tensor([9], new Uint8Array(9))]]));
    writeFileSync(inFolder('cut.st'), file.subarray(0, file.length - 1));
    writeFileSync(inFolder('cut.idx.gz'), readFileSync(images).subarray(0, 9999));
    mkdirSync(inFolder('run'));
    writeFileSync(inFolder('run/mine'), 'mine');
    writeFileSync(inFolder('bad.yaml'), 'epsilom: 0.1\n');
    writeFileSync(inFolder('bad.json'), '{"epsilon": ');
    mkdirSync(inFolder('broken-off'));
    writeFileSync(inFolder('broken-off/config.json'), '{}');
    writeFileSync(inFolder('short.idx'), Uint8Array.of(0, 0, 8, 1, 0, 0, 0, 2, 1, 2));
  });

  test.for(cases)('%s', async ([, code, message, args]) => {
    const result = await tombola(...args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr.trim().split('\n')).toHaveLength(1);
    expect(result).toMatchObject({ code, stdout: '' });
  });
});
