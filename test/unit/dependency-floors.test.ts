import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

interface Lock {
  readonly packages: Readonly<Record<string, { readonly version?: string }>>;
}

const lock = JSON.parse(readFileSync(new URL('../../package-lock.json', import.meta.url), 'utf8')) as Lock;

/** The first versions that a peer cannot hang, crash or take over by what is known of those before. */
const floors: readonly (readonly [string, string, string])[] = [
  ['ws', '8.23.0', 'a flood of pings cost 8.22 some 900 MB'],
  ['msgpackr', '2.1.3', 'a nested message of 10 kB aborted 1.x'],
  ['piscina', '5.2.0', 'CVE-2026-55388'],
];

describe('the lock file', () => {
  it.each(floors)('has %s from %s on everywhere (%s)', (name, floor) => {
    const versions = versionsOf(lock, name);
    expect(versions.length).toBeGreaterThan(0);
    expect(versions.filter((version) => isBelow(version, floor))).toEqual([]);
  });

  it('would show a version below a floor, also deep in the tree or before a release', () => {
    const packages = {
      'node_modules/a/node_modules/ws': { version: '8.22.9' },
      'node_modules/ws': { version: '8.23.0-rc.1' },
    };
    expect(versionsOf({ packages }, 'ws').filter((version) => isBelow(version, '8.23.0'))).toHaveLength(2);
    for (const version of ['8.23.0', '8.23.1', '8.100.0', '10.0.0'])
      expect(isBelow(version, '8.23.0')).toBe(false);
  });
});

function versionsOf({ packages }: Lock, name: string): string[] {
  return Object.entries(packages)
    .filter(([path]) => path === `node_modules/${name}` || path.endsWith(`/node_modules/${name}`))
    .map(([, { version }]) => version ?? '0.0.0');
}

function isBelow(version: string, floor: string): boolean {
  const parts = (text: string) => (text.split('-')[0] ?? '').split('.').map(Number);
  const [own, least] = [parts(version), parts(floor)];
  const at = least.findIndex((part, index) => own[index] !== part);
  return at < 0 ? version.includes('-') : (own[at] ?? 0) < (least[at] ?? 0);
}
