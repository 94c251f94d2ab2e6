/** A coordinator within the test's process, in a folder of its own. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type RunningCoordinator, type ServeOptions, serve } from '../../coordinator/gateway.ts';
import { kernelDigest } from '../../worker/kernel/kernel.ts';
import { kernelSolver } from './in-process-search.ts';

/** A coordinator and its log. */
export interface TestGateway extends RunningCoordinator {
  readonly logLines: readonly string[];
}

/** Returns a coordinator on loopback; close it, and its folder is gone. */
export async function openTestGateway(options: Partial<ServeOptions> = {}): Promise<TestGateway> {
  const directory = mkdtempSync(join(tmpdir(), 'tombola-test-'));
  const logLines: string[] = [];
  const coordinator = await serve({
    host: '127.0.0.1',
    port: 0,
    directory,
    keys: null,
    tls: null,
    insecure: false,
    threads: 1,
    solver: await kernelSolver(),
    build: kernelDigest,
    writeLog: (line) => logLines.push(line),
    ...options,
  });
  return {
    ...coordinator,
    logLines,
    close: async () => {
      await coordinator.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
}
