/**
 * Compiles the WebAssembly modules with AssemblyScript, each from `assembly/index.ts` of its folder, and writes its bytes as base64
 * text to `generated/`, so that Node, browsers and tests import one and the same thing. Does nothing for a module when neither its
 * sources nor this script nor the compiler have changed.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

/** The solver and what checks it have no source in common. */
const modules = [
  { folder: 'worker/kernel/', name: 'kernel' },
  { folder: 'src/core/verify/fast/', name: 'verifier' },
  { folder: 'coordinator/evaluate/edges/', name: 'edges' },
];
const options = [
  '-O3',
  '--noAssert',
  '--converge',
  '--runtime',
  'stub',
  '--enable',
  'simd',
  '--initialMemory',
  '4',
  '--use',
  'abort=',
];

for (const { folder, name } of modules) {
  const here = new URL(`../${folder}`, import.meta.url);
  const target = new URL(`generated/${name}-bytes.ts`, here);
  const sources = await digestSources(new URL('assembly/', here));
  const existing = await readFile(target, 'utf8').catch(() => '');
  if (!existing.includes(`// Sources: ${sources}\n`)) await build({ here, target, name, sources });
}

async function build({ here, target, name, sources }) {
  const bytes = await compile(here);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const text = `// Made by deploy/build-webassembly.mjs; do not edit.
// Sources: ${sources}

/** A WebAssembly module: its bytes as base64 text, and their SHA-256 in hex. */
export const ${name}Module = {
  base64:
    '${bytes.toString('base64')}',
  sha256: '${digest}',
};
`;
  await mkdir(new URL('./', target), { recursive: true });
  // Renamed into place, so that no one reads half a file.
  const draft = new URL(`${name}-bytes.${process.pid}.tmp`, target);
  await writeFile(draft, text);
  await rename(draft, target);
  process.stderr.write(`${name}: ${bytes.length} bytes, sha256 ${digest.slice(0, 12)}\n`);
}

async function compile(here) {
  let module;
  const { error, stderr } = await asc.main(
    ['assembly/index.ts', '--outFile', 'module.wasm', '--baseDir', fileURLToPath(here), ...options],
    {
      writeFile: (_name, contents) => {
        module = Buffer.from(contents);
      },
    },
  );
  if (error !== null || module === undefined) {
    throw new Error(`Cannot compile ${fileURLToPath(here)}: ${error?.message}\n${stderr.toString()}`);
  }
  return module;
}

async function digestSources(folder) {
  const hash = createHash('sha256');
  hash.update(createRequire(import.meta.url)('assemblyscript/package.json').version);
  hash.update(await readFile(new URL(import.meta.url)));
  for (const name of (await readdir(folder)).sort())
    hash.update(name).update(await readFile(new URL(name, folder)));
  return hash.digest('hex');
}
