/**
 * Compiles the kernel (assembly/index.ts) with AssemblyScript and writes generated/kernel-bytes.ts: the module as base64
 * text, so that Node, browsers and tests import one and the same thing. Does nothing when neither the sources nor this
 * script nor the compiler have changed.
 */
import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import asc from 'assemblyscript/asc';

const here = new URL('./', import.meta.url);
const target = new URL('generated/kernel-bytes.ts', here);
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

const sourceDigest = await digestSources();
const existing = await readFile(target, 'utf8').catch(() => '');
if (!existing.includes(`// Sources: ${sourceDigest}\n`)) await build();

async function build() {
  const bytes = await compile();
  const digest = createHash('sha256').update(bytes).digest('hex');
  const text = `// Made by worker/kernel/build.mjs; do not edit.
// Sources: ${sourceDigest}

/** The kernel's WebAssembly module as base64 text. */
export const kernelBase64 =
  '${bytes.toString('base64')}';

/** Hex SHA-256 of the module. */
export const kernelSha256 = '${digest}';
`;
  await mkdir(new URL('generated/', here), { recursive: true });
  // Renamed into place, so that no one reads half a file.
  const draft = new URL(`generated/kernel-bytes.${process.pid}.tmp`, here);
  await writeFile(draft, text);
  await rename(draft, target);
  process.stderr.write(`kernel: ${bytes.length} bytes, sha256 ${digest.slice(0, 12)}\n`);
}

async function compile() {
  let module;
  const { error, stderr } = await asc.main(
    ['assembly/index.ts', '--outFile', 'kernel.wasm', '--baseDir', fileURLToPath(here), ...options],
    {
      writeFile: (_name, contents) => {
        module = Buffer.from(contents);
      },
    },
  );
  if (error !== null || module === undefined) {
    throw new Error(`Cannot compile the kernel: ${error?.message}\n${stderr.toString()}`);
  }
  return module;
}

async function digestSources() {
  const hash = createHash('sha256');
  hash.update(createRequire(import.meta.url)('assemblyscript/package.json').version);
  hash.update(await readFile(new URL(import.meta.url)));
  const folder = new URL('assembly/', here);
  for (const name of (await readdir(folder)).sort())
    hash.update(name).update(await readFile(new URL(name, folder)));
  return hash.digest('hex');
}
