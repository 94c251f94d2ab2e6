/** Where the package lies, and which version it is. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

/** Returns the package's version. */
export function tombolaVersion(): string {
  const text = readFileSync(packagePath('package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

/** Returns the path of a file of the package, named from its root. */
export function packagePath(name: string): string {
  // Compiled into dist, this file lies one folder deeper than its source.
  const root = import.meta.url.endsWith('.ts') ? '../../' : '../../../';
  return fileURLToPath(new URL(`${root}${name}`, import.meta.url));
}
