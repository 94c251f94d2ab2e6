/** The web pages as the coordinator serves them: what is there, under which headers, and nothing else. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway({ volunteers: true, gateways: ['wss://other.example:7/ws'] });
});
afterAll(async () => {
  await gateway.close();
});

function get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${gateway.url}${path}`, { headers });
}

/** The path is sent as it is: fetch would tidy it. */
function rawStatus(path: string): Promise<number | undefined> {
  const { port } = gateway;
  return new Promise((resolve, reject) => {
    request({ host: '127.0.0.1', port, path }, (answer) => {
      answer.resume();
      resolve(answer.statusCode);
    })
      .on('error', reject)
      .end();
  });
}

/** Paths of the scripts, styles and icons that a document names. */
async function assetsOf(path: string): Promise<string[]> {
  const text = await (await get(path)).text();
  return [...text.matchAll(/(?:src|href)="([^"]+)"/g)].map((match) => match[1] ?? '');
}

describe.each(['/', '/volunteer'])('the page at %s', (path) => {
  it('comes with headers that let it run its own files only', async () => {
    const { status, headers } = await get(path);
    expect(status).toBe(200);
    expect(headers.get('content-type')).toMatch(/^text\/html/);
    const policy = headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).toContain("frame-ancestors 'none'");
    expect(policy).not.toMatch(/unsafe-inline|'unsafe-eval'|data:|\*/);
    expect(Object.fromEntries(headers)).toMatchObject({
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'cross-origin-resource-policy': 'same-origin',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'no-referrer',
      'permissions-policy': expect.stringContaining('camera=()'),
    });
    expect(headers.get('strict-transport-security')).toBeNull();
  });

  it('has no script or style of its own in it, and names only files that are there', async () => {
    const text = await (await get(path)).text();
    expect(text).not.toMatch(/<style|<script(?![^>]*src=)|\son\w+=|style=/);
    const assets = await assetsOf(path);
    expect(assets.length).toBeGreaterThanOrEqual(3);
    for (const asset of assets) {
      const { status, headers } = await get(asset);
      expect(status).toBe(200);
      expect(asset).toMatch(/-[\w-]{8}\.(js|css|svg)$/);
      expect(headers.get('cache-control')).toMatch(/immutable/);
      expect(headers.get('x-content-type-options')).toBe('nosniff');
    }
  });

  it('is asked for anew each time, and sent only when it has changed', async () => {
    const first = await get(path);
    expect(first.headers.get('cache-control')).toBe('no-cache');
    const etag = first.headers.get('etag') ?? '';
    const again = await get(path, { 'if-none-match': etag });
    expect(again.status).toBe(304);
    expect(await again.text()).toBe('');
    expect((await get(path, { 'if-none-match': '"another"' })).status).toBe(200);
  });

  it('is the same compressed and not', async () => {
    const plain = await get(path, { 'accept-encoding': 'identity' });
    expect(plain.headers.get('content-encoding')).toBeNull();
    const gzipped = await get(path, { 'accept-encoding': 'gzip' });
    expect(gzipped.headers.get('content-encoding')).toBe('gzip');
    expect(await gzipped.text()).toBe(await plain.text());
  });
});

describe('the pages', () => {
  it('may compute and talk to other gateways where volunteers do, and nowhere else', async () => {
    const [dashboard, volunteer] = await Promise.all([get('/'), get('/volunteer')]);
    const policy = volunteer.headers.get('content-security-policy');
    expect(policy).toContain("script-src 'self' 'wasm-unsafe-eval';");
    expect(policy).toContain("connect-src 'self' wss://other.example:7;");
    expect(dashboard.headers.get('content-security-policy')).toContain("connect-src 'self';");
    expect(dashboard.headers.get('content-security-policy')).toContain("script-src 'self';");
  });

  it.each([
    '/volunteer/../../keys.json',
    '/assets/../../../keys.json',
    '/volunteer/%2e%2e/%2e%2e/sources.sha256',
    '/volunteer/..%2fsources.sha256',
    '/sources.sha256',
    '/index.html',
    '/assets/',
    '/volunteer/assets',
    '//etc/passwd',
    '/volunteer/\\..\\index.html',
  ])('are all there is to read: not %s', async (path) => {
    expect(await rawStatus(path)).toBe(404);
  });

  it('are read, not written', async () => {
    expect((await fetch(`${gateway.url}/`, { method: 'POST' })).status).toBe(404);
    const head = await fetch(`${gateway.url}/`, { method: 'HEAD' });
    expect(head.status).toBe(200);
    expect(await head.text()).toBe('');
  });

  it('are not served to a page elsewhere, or under a name that somebody gave this machine', async () => {
    expect((await get('/', { origin: 'https://elsewhere.example' })).status).toBe(403);
    expect((await get('/', { origin: gateway.url })).status).toBe(200);
    expect((await get('/', { origin: 'null' })).status).toBe(403);
  });

  it('do not include the one for volunteers unless they are wanted', async () => {
    const closed = await openTestGateway();
    const reasonOf = async (path: string): Promise<string> =>
      ((await (await fetch(`${closed.url}${path}`)).json()) as { error: string }).error;
    expect((await fetch(`${closed.url}/volunteer`)).status).toBe(404);
    expect(await reasonOf('/volunteer')).toMatch(/^Cannot find \/volunteer: .*--volunteers$/);
    expect(await reasonOf('/elsewhere')).toMatch(/^Cannot find \/elsewhere, expected one of \/, \/healthz, /);
    expect((await fetch(`${closed.url}/`)).status).toBe(200);
    await closed.close();
  });
});

it('answers that are no pages may do nothing, should one be shown as a document', async () => {
  const { headers } = await get('/healthz');
  expect(headers.get('content-security-policy')).toBe("default-src 'none'; frame-ancestors 'none'");
  expect(headers.get('cache-control')).toBe('no-store');
});
