/**
 * Builds the two web pages with Vite, each for itself, into dist/pages: worker/browser (served at /volunteer) and
 * coordinator/dashboard (served at /). Names of assets hold a hash of their content. Does nothing when neither a source nor this
 * script nor a package has changed.
 */
import { createHash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';

const root = fileURLToPath(new URL('../', import.meta.url));
const stamp = `${root}dist/pages/sources.sha256`;
const pages = [
  { name: 'volunteer', folder: 'worker/browser', base: '/volunteer/' },
  { name: 'dashboard', folder: 'coordinator/dashboard', base: '/' },
];
/** All that the pages may import, and what makes them of it. */
const inputs = ['worker', 'coordinator/dashboard', 'src/core', 'deploy/build-pages.mjs', 'package-lock.json'];

const digest = await digestInputs();
if ((await readFile(stamp, 'utf8').catch(() => '')) !== digest) {
  for (const page of pages) await build(configOf(page));
  await writeFile(stamp, digest);
}

function configOf({ name, folder, base }) {
  return {
    configFile: false,
    root: `${root}${folder}`,
    base,
    publicDir: false,
    logLevel: 'warn',
    worker: { format: 'es' },
    build: {
      outDir: `${root}dist/pages/${name}`,
      emptyOutDir: true,
      // The pages' content security policy allows no data: URLs.
      assetsInlineLimit: 0,
      modulePreload: { polyfill: false },
      reportCompressedSize: false,
    },
  };
}

async function digestInputs() {
  const hash = createHash('sha256');
  for (const input of inputs)
    for (const path of await filesIn(input))
      hash.update(`${path}\n`).update(await readFile(`${root}${path}`));
  return hash.digest('hex');
}

/** The file itself, or the files of a folder and of the folders below it, in an order of their own. */
async function filesIn(input) {
  const entries = await readdir(`${root}${input}`, { withFileTypes: true }).catch((error) => {
    if (error.code === 'ENOTDIR') return undefined;
    throw error;
  });
  if (entries === undefined) return [input];
  const paths = [];
  for (const entry of entries) {
    const path = `${input}/${entry.name}`;
    if (entry.isDirectory()) paths.push(...(await filesIn(path)));
    else if (entry.isFile() && !entry.name.endsWith('.tmp')) paths.push(path);
  }
  return paths.sort();
}
