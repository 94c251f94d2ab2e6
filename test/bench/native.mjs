/** The native baseline (test/bench/native): compiled with the system's C compiler, run beside the benchmark as a process. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const sources = fileURLToPath(new URL('native/', import.meta.url));

/**
 * Compiles and starts the baseline.
 * @returns `ask`, which sends a command (native/main.c) and returns its answer, and `close`; or `reason` why there is no baseline.
 */
export async function openNative() {
  const folder = mkdtempSync(join(tmpdir(), 'tombola-native-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  const program = join(folder, 'baseline');
  const files = readdirSync(sources).filter((name) => name.endsWith('.c'));
  const compiled = spawnSync(
    'cc',
    ['-O3', '-march=native', '-o', program, ...files.map((name) => join(sources, name))],
    { encoding: 'utf8' },
  );
  if (compiled.status !== 0) {
    remove();
    const why = compiled.error?.message ?? compiled.stderr.trim().split('\n')[0];
    return { reason: `no native baseline: ${why}` };
  }
  const child = spawn(program, { stdio: ['pipe', 'pipe', 'inherit'] });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  return {
    async ask(command) {
      child.stdin.write(`${command}\n`);
      const { value, done } = await lines.next();
      if (done) throw new Error(`the native baseline ended on: ${command}`);
      return value;
    },
    async close() {
      child.stdin.end();
      if (child.exitCode === null) await once(child, 'exit');
      remove();
    },
  };
}
