/**
 * Prints one last line `N passed, N failed`, which the continuous integration reads.
 */
import type { Reporter, TestModule } from 'vitest/node';

/**
 * Counts tests. A file that fails without a failed test of its own (it does not compile, a hook throws) counts as one failure,
 * and so does every error that no test caught.
 */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], unhandledErrors: readonly unknown[]): void {
    let passed = 0;
    let failed = unhandledErrors.length;
    for (const module of modules) {
      let failedHere = 0;
      for (const test of module.children.allTests()) {
        const { state } = test.result();
        if (state === 'passed') passed++;
        if (state === 'failed' || state === 'pending') failedHere++;
      }
      failed += failedHere === 0 && !module.ok() ? 1 : failedHere;
    }
    process.stdout.write(`${passed} passed, ${failed} failed\n`);
  }
}
