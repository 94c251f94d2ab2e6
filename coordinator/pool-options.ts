/** What the thread pools of the coordinator have in common. */

const noRequireFlag = '--no-experimental-require-module';

/**
 * Options of Node for piscina's threads. Piscina (5.3.2) first tries to load a module with require(), and a thread that is ended in the
 * middle of that ends the whole process (seen with Node 20 and 22: "IsGraphAsync must be used on an instantiated module").
 */
export const threadFlags: { readonly execArgv?: string[] } = process.allowedNodeEnvironmentFlags.has(
  noRequireFlag,
)
  ? { execArgv: [noRequireFlag] }
  : {};

/** Options without a prototype: a polluted Object.prototype must not choose the file that a thread runs (CVE-2026-55388). */
export function withoutPrototype<T extends object>(options: T): T {
  return Object.assign(Object.create(null), options);
}
