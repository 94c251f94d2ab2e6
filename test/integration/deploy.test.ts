/** The files of deploy/: they parse, name commands and options that exist, and pass the checkers that this machine has. */
import { execFileSync, spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';

const root = fileURLToPath(new URL('../../', import.meta.url));
const deploy = join(root, 'deploy');
const scratch = mkdtempSync(join(tmpdir(), 'tombola-test-'));
afterAll(() => {
  rmSync(scratch, { recursive: true, force: true });
});

function read(path: string): string {
  return readFileSync(join(deploy, path), 'utf8');
}

/** Every `tombola` command line in deploy/, by where it stands. */
function commandLines(): [string, readonly string[]][] {
  const lines: [string, readonly string[]][] = [];
  const collect = (place: string, value: unknown): void => {
    if (typeof value !== 'object' || value === null) return;
    const entry = value as Record<string, unknown>;
    const words = entry.command ?? entry.args;
    if (String(entry.image ?? '').startsWith('tombola') && Array.isArray(words))
      lines.push([place, words.map(String)]);
    for (const inner of Object.values(entry)) collect(place, inner);
  };
  collect('compose.yaml', parse(read('compose.yaml'), { merge: true }));
  for (const file of readdirSync(join(deploy, 'kubernetes')))
    for (const document of parseAllDocuments(read(`kubernetes/${file}`)))
      collect(`kubernetes/${file}`, document.toJS());
  for (const file of [...readdirSync(join(deploy, 'systemd')), '../slurm/tombola-workers.sbatch'])
    for (const [, words] of read(`systemd/${file}`)
      .replaceAll('\\\n', ' ')
      .matchAll(/tombola\.mjs"? (.*)/g))
      lines.push([file, (words ?? '').split(/\s+/)]);
  return lines;
}

function has(binary: string): boolean {
  return spawnSync('which', [binary]).status === 0;
}

describe('deploy', () => {
  test('names only commands and options that tombola has', () => {
    const found = commandLines();
    expect(new Set(found.map(([place]) => place)).size).toBeGreaterThanOrEqual(7);
    const helps = new Map<string, string>();
    for (const [place, [command = '', ...words]] of found) {
      const help =
        helps.get(command) ??
        execFileSync(process.execPath, [join(root, 'src/cli/tombola.mjs'), command, '--help'], {
          encoding: 'utf8',
          env: { ...process.env, TOMBOLA_BUILT: '1' },
        });
      helps.set(command, help);
      expect(help, `${place}: ${command}`).toContain(`Usage: tombola ${command}`);
      for (const word of words.filter((text) => text.startsWith('--')))
        expect(help, `${place}: ${command}`).toContain(`${word} `);
    }
  });

  test('says of the engine what serve and node understand', () => {
    for (const command of ['serve', 'node']) {
      const help = execFileSync(process.execPath, [join(root, 'src/cli/tombola.mjs'), command, '--help'], {
        encoding: 'utf8',
        env: { ...process.env, TOMBOLA_BUILT: '1' },
      });
      expect(help).toContain('TOMBOLA_ENGINE');
    }
  });

  test.skipIf(!has('nats-server'))('has a NATS configuration that the server takes, and that syncs', () => {
    const check = (password: string) =>
      spawnSync('nats-server', ['-t', '-c', join(deploy, 'nats/nats.conf')], {
        encoding: 'utf8',
        env: {
          ...process.env,
          NATS_NAME: 'nats-0',
          NATS_PASSWORD: password,
          NATS_ROUTE_PASSWORD: password,
          NATS_ROUTES: '["nats-route://route:t1@nats-0:6222"]',
        },
      });
    expect(check('t12').status).toBe(0);
    expect(check('1e55555').status, 'a password that is no word is refused, as example.env says').not.toBe(0);
    expect(read('nats/nats.conf')).toMatch(/^ {2}sync_interval: always$/m);
  });

  test.skipIf(!has('kubectl'))(
    'has manifests that kustomize puts together, with one image and the secrets they name',
    () => {
      const all = execFileSync('kubectl', ['kustomize', join(deploy, 'kubernetes')], { encoding: 'utf8' });
      const objects = parseAllDocuments(all).map((document) => document.toJS() as { kind: string });
      expect(objects.map(({ kind }) => kind).sort()).toEqual([
        'ConfigMap',
        'Deployment',
        'Deployment',
        'Namespace',
        ...Array(4).fill('NetworkPolicy'),
        'PodDisruptionBudget',
        'PodDisruptionBudget',
        'Service',
        'Service',
        'StatefulSet',
      ]);
      expect(all).not.toMatch(/image: tombola$/m);
      expect(all).toMatch(/name: nats-[a-z0-9]{10}\n/);
    },
  );

  test.skipIf(!has('systemd-analyze'))('has units that systemd takes and counts as confined', () => {
    for (const file of readdirSync(join(deploy, 'systemd'))) {
      const unit = join(scratch, file);
      writeFileSync(
        unit,
        read(`systemd/${file}`).replace('/usr/bin/node', process.execPath).replaceAll('/opt/tombola', root),
      );
      expect(spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' }).stderr).toBe('');
      const security = spawnSync('systemd-analyze', ['security', '--offline=true', '--threshold=20', unit]);
      expect(security.status, file).toBe(0);
    }
  });

  test('has a Slurm script that says what it lacks', () => {
    const run = (words: readonly string[]) =>
      spawnSync('bash', [join(deploy, 'slurm/tombola-workers.sbatch'), ...words], {
        encoding: 'utf8',
        env: { ...process.env, HOME: scratch },
      });
    expect(run([])).toMatchObject({ status: 2, stderr: expect.stringContaining('without a coordinator') });
    expect(run(['https://a.example'])).toMatchObject({
      status: 2,
      stderr: expect.stringContaining('Cannot read the token in'),
    });
  });
});
