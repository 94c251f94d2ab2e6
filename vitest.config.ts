import { configDefaults, defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

/** A minute of faults around browser tabs: `npm run test:browser` runs them too, with all other tests in browsers. */
const browserFaults = 'test/browser/*-faults.test.ts';

export default defineConfig(({ mode }) => ({
  test: {
    include: [mode === 'browser' ? 'test/browser/**/*.test.ts' : 'test/**/*.test.ts'],
    exclude: mode === 'browser' ? configDefaults.exclude : [...configDefaults.exclude, browserFaults],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // More than two cores have: many tests wait for processes and servers.
    maxWorkers: 3,
    reporters: ['default', new CountReporter()],
  },
}));
