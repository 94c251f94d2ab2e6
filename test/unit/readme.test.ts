/** The README keeps what it promises about the tree. */
import { execFileSync } from 'node:child_process';
import { readFileSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));
const readme = readFileSync(`${root}README.md`, 'utf8');
const topFolders = ['src', 'coordinator', 'worker', 'test', 'deploy'];

test('the folder map names every folder that holds a file, and no other', () => {
  const named = [...folderMap().matchAll(/^ *([a-z][\w/-]*)\/ {2,}\S/gm)].map((match) => match[1]);
  expect(named.toSorted()).toEqual(topFolders.flatMap(foldersIn).toSorted());
});

test('every npm script and file that the README names exists', () => {
  const { scripts } = JSON.parse(readFileSync(`${root}package.json`, 'utf8')) as {
    scripts: Record<string, string>;
  };
  const named = [...readme.matchAll(/npm run ([\w:]+)/g)].map((match) => match[1] ?? '');
  expect(named.length).toBeGreaterThan(0);
  expect(named.filter((name) => scripts[name] === undefined)).toEqual([]);
  const links = [...readme.matchAll(/\]\((?!https?:)([^)#]+)\)/g)].map((match) => match[1] ?? '');
  expect(links.length).toBeGreaterThan(0);
  expect(links.filter((path) => statSync(root + path, { throwIfNoEntry: false }) === undefined)).toEqual([]);
});

/** The first code block behind the heading. */
function folderMap(): string {
  const section = readme.slice(readme.indexOf('## Folders'));
  return section.split('```')[1] ?? '';
}

/** Files that git tracks or would track: what a test running beside this one leaves for a moment does not count. */
const files = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard'], {
  cwd: root,
  encoding: 'utf8',
}).split('\n');

/** The folder and all below it that hold a file. */
function foldersIn(folder: string): string[] {
  const folders = new Set<string>();
  for (const file of files.filter((candidate) => candidate.startsWith(`${folder}/`)))
    for (let at = file.lastIndexOf('/'); at >= folder.length; at = file.lastIndexOf('/', at - 1))
      folders.add(file.slice(0, at));
  return [...folders].sort();
}
