#!/usr/bin/env node
/**
 * The `tombola` command. In a checkout it builds first when dist is missing or older than the sources; a published package
 * holds dist and no sources. TOMBOLA_BUILT=1 takes dist as it is, for those who have just built.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../', import.meta.url));
const main = `${root}dist/src/cli/main.js`;
/** The last step of `npm run build` writes it. */
const stamp = `${root}dist/built`;

const reason = whyBuild();
if (reason !== null && !build(reason)) process.exitCode = 1;
else await import(new URL('../../dist/src/cli/main.js', import.meta.url).href);

function whyBuild() {
  if (!existsSync(`${root}src/cli/main.ts`) || process.env.TOMBOLA_BUILT === '1') return null;
  if (!existsSync(main) || !existsSync(stamp)) return 'not built yet';
  const builtAt = statSync(stamp).mtimeMs;
  const isNewer = ['src', 'coordinator', 'worker'].some((folder) => newest(`${root}${folder}`) > builtAt);
  return isNewer ? 'the sources have changed' : null;
}

/** Time of the newest source. */
function newest(folder) {
  let latest = 0;
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const parent = entry.parentPath ?? entry.path;
    if (
      !entry.isFile() ||
      !/\.(tsx?|mjs|json|html|css|svg)$/.test(entry.name) ||
      parent.endsWith('generated')
    )
      continue;
    latest = Math.max(latest, statSync(`${parent}/${entry.name}`).mtimeMs);
  }
  return latest;
}

function build(reason) {
  process.stderr.write(`tombola: ${reason}, building …\n`);
  const { status, stdout, stderr, error } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    encoding: 'utf8',
    shell: process.platform === 'win32',
  });
  if (status === 0) return true;
  const detail = error?.message ?? `${stdout}${stderr}`.trim();
  process.stderr.write(`${detail}\ntombola: Cannot build: expected \`npm ci\` to have been run in ${root}\n`);
  return false;
}
