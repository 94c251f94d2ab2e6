import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { loadTensorFlow } from '../../coordinator/evaluate/backend.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'tombola-backend-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function packageWith(name: string, source: string): Promise<string> {
  const file = join(folder, name);
  await writeFile(file, source);
  return pathToFileURL(file).href;
}

describe('TensorFlow.js backend', () => {
  it('falls back to WebAssembly where the native package is absent, and computes', async () => {
    const { tf, backend, fallbackReason } = await loadTensorFlow('no-such-package-of-tombola');
    expect([backend, tf.getBackend()]).toEqual(['wasm', 'wasm']);
    expect(fallbackReason).toContain('no-such-package-of-tombola');
    const square = tf.tidy(() => [...tf.matMul([[1, 2]], [[3], [4]]).dataSync()]);
    expect(square).toEqual([11]);
  });

  it('falls back, saying why, where the native package is broken', async () => {
    const broken = await packageWith(
      'broken.mjs',
      "throw new Error('libtensorflow.so.2: no such file\\nstack');",
    );
    const found = await loadTensorFlow(broken);
    expect(found.backend).toBe('wasm');
    expect(found.fallbackReason).toMatch(/libtensorflow\.so\.2: no such file$/);
    const refusing = await packageWith(
      'refusing.mjs',
      'export async function setBackend() { return false; }',
    );
    expect((await loadTensorFlow(refusing)).fallbackReason).toContain('no working backend');
  });

  it('takes the native package where it works, be it a CommonJS or an ES module', async () => {
    const body = "async setBackend(name) { return name === 'tensorflow'; }, version_core: '9.9.9'";
    const files = [
      await packageWith('native.cjs', `module.exports = { ${body} };`),
      await packageWith('native.mjs', `export const { setBackend, version_core } = { ${body} };`),
    ];
    for (const file of files)
      expect(await loadTensorFlow(file)).toMatchObject({
        backend: 'tensorflow',
        version: '9.9.9',
        fallbackReason: null,
      });
  });
});
