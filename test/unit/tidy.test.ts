import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Files that git tracks or would track, so that build output never counts. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
})
  .split('\n')
  .filter((file) => /\.(tsx?|mjs)$/.test(file));

/** Files that are pure: same input, same output, on every platform and at every time. */
const pureFiles = files.filter(
  (file) =>
    file.startsWith('src/core/') ||
    /^coordinator\/(ledger|scheduler)(\.ts|\/)/.test(file) ||
    /^worker\/[^/]+\.ts$/.test(file),
);

const impurities = [
  'Date.now',
  'new Date',
  'performance.',
  'Math.random',
  'crypto.',
  'setTimeout',
  'setInterval',
  'setImmediate',
  'process.',
];

function code(file: string): string {
  return readFileSync(`${root}/${file}`, 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/\/\/.*$/gm, '');
}

function importsOf(file: string): string[] {
  return [...code(file).matchAll(/from '([^']+)'/g)].map((match) => match[1] ?? '');
}

describe('the house rules', () => {
  it('finds the files it speaks of', () => {
    expect(pureFiles).toContain('src/core/plan/make-plan.ts');
    expect(pureFiles).toContain('coordinator/ledger.ts');
    expect(pureFiles).toContain('worker/session.ts');
  });

  it.each(impurities)('keeps %s out of pure files', (impurity) => {
    expect(pureFiles.filter((file) => code(file).includes(impurity))).toEqual([]);
  });

  it('lets pure files import no platform module', () => {
    expect(pureFiles.filter((file) => importsOf(file).some((from) => from.startsWith('node:')))).toEqual([]);
  });

  it('keeps coordinator and worker apart, and lets nothing import the command line', () => {
    const production = files.filter((file) => !file.startsWith('test/'));
    const wrong = production.flatMap((file) =>
      importsOf(file)
        .filter(
          (from) =>
            (file.startsWith('coordinator/') && /(^|\/)worker\//.test(from)) ||
            (file.startsWith('worker/') && /(^|\/)coordinator\//.test(from)) ||
            (!file.startsWith('src/cli/') && /(^|\/)cli\//.test(from)) ||
            (file.startsWith('src/core/') && /\/(coordinator|worker)\//.test(from)),
        )
        .map((from) => `${file} imports ${from}`),
    );
    expect(wrong).toEqual([]);
  });

  it('keeps files at 400 lines or fewer', () => {
    const long = files.filter((file) => readFileSync(`${root}/${file}`, 'utf8').split('\n').length > 401);
    expect(long).toEqual([]);
  });

  it('exits the process in the command line and in nothing else', () => {
    const production = files.filter(
      (file) => /^(src|coordinator|worker)\//.test(file) && /\.tsx?$/.test(file),
    );
    expect(
      production.filter((file) => !file.startsWith('src/cli/') && code(file).includes('process.exit(')),
    ).toEqual([]);
  });
});
