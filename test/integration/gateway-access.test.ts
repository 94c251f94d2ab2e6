/** Who may do what: every scope at every endpoint, over HTTP and WebSockets; and what the log keeps to itself. */
import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  issueToken,
  newTokenKey,
  revokeTokens,
  rotateKeys,
  type TokenKeys,
  type TokenScope,
} from '../../coordinator/tokens.ts';
import { encodeNetwork } from '../../src/core/format/network-file.ts';
import { isSearchView } from '../../src/core/protocol/search-view.ts';
import { activationStep, denseLayer } from '../support/evaluation-networks.ts';
import { defaultOptions } from '../support/in-process-search.ts';
import { submitJob } from '../support/job-client.ts';
import { connectRaw, helloOf } from '../support/raw-worker.ts';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

const network = encodeNetwork({
  inputShape: [6],
  inputSteps: [],
  layers: [denseLayer(6, 4, [activationStep({ kind: 'relu' })]), denseLayer(4, 2)],
});
const hour = 3_600_000;
const keys: TokenKeys = rotateKeys({ current: newTokenKey(), previous: null }, newTokenKey());
const tokens: Record<TokenScope | 'expired' | 'forged' | 'retired' | 'none', string> = {
  admin: issueToken(keys, { scope: 'admin', ttlMs: hour }, Date.now()),
  submit: issueToken(keys, { scope: 'submit', ttlMs: hour }, Date.now()),
  worker: issueToken(keys, { scope: 'worker', ttlMs: hour }, Date.now()),
  volunteer: issueToken(keys, { scope: 'volunteer', ttlMs: hour }, Date.now()),
  read: issueToken(keys, { scope: 'read', ttlMs: hour }, Date.now()),
  expired: issueToken(keys, { scope: 'admin', ttlMs: 1 }, Date.now() - hour),
  forged: issueToken(
    { current: { ...newTokenKey(), id: keys.current.id }, previous: null },
    { scope: 'admin', ttlMs: hour },
    Date.now(),
  ),
  retired: issueToken(
    { current: newTokenKey(), previous: null },
    { scope: 'admin', ttlMs: hour },
    Date.now(),
  ),
  none: '',
};
type Bearer = keyof typeof tokens;
const bearers = Object.keys(tokens) as Bearer[];

let gateway: TestGateway;
let job: string;
beforeAll(async () => {
  gateway = await openTestGateway({ keys, volunteers: true });
  job = await submitJob(gateway.url, { network, options: defaultOptions, token: tokens.submit });
});
afterAll(async () => {
  await gateway.close();
});

function bearing(bearer: Bearer): Record<string, string> {
  return bearer === 'none' ? {} : { authorization: `Bearer ${tokens[bearer]}` };
}

/** What each scope may do; the others get 403, and those without a good token 401. */
const endpoints: readonly [string, string, number, readonly Bearer[]][] = [
  ['GET', '/healthz', 200, bearers],
  ['GET', '/readyz', 200, bearers],
  ['GET', '/', 200, bearers],
  ['GET', '/volunteer', 200, bearers],
  ['POST', '/join', 201, bearers],
  ['GET', '/api/volunteer', 200, ['admin', 'submit', 'volunteer', 'read']],
  ['GET', '/metrics', 200, ['admin', 'submit', 'read']],
  ['GET', '/api/jobs', 200, ['admin', 'submit', 'read']],
  ['GET', '/api/jobs/JOB', 200, ['admin', 'submit', 'read']],
  ['GET', '/api/workers', 200, ['admin', 'submit', 'read']],
  ['POST', '/api/jobs?options=no', 400, ['admin', 'submit']],
  ['DELETE', '/api/jobs/nobody', 404, ['admin', 'submit']],
  ['GET', '/api/jobs/nobody/ticket', 404, ['admin', 'submit']],
  ['GET', `/api/blobs/${'0'.repeat(64)}`, 404, ['admin', 'submit']],
];
const scopes: readonly Bearer[] = ['admin', 'submit', 'worker', 'volunteer', 'read'];

describe.each(endpoints)('%s %s', (method, path, status, allowed) => {
  it.each(bearers)(`as it should be for %s`, async (bearer) => {
    const expected = allowed.includes(bearer) ? status : scopes.includes(bearer) ? 403 : 401;
    const response = await fetch(`${gateway.url}${path.replace('JOB', job)}`, {
      method,
      headers: bearing(bearer),
    });
    expect(response.status).toBe(expected);
    const text = await response.text();
    if (expected >= 400) expect((JSON.parse(text) as { error: string }).error).toMatch(/^Cannot .{20}/);
  });
});

describe('a WebSocket', () => {
  it.each(bearers)('by its header is as it should be for %s', async (bearer) => {
    const connecting = connectRaw(gateway.url, bearing(bearer));
    if (['admin', 'worker', 'volunteer'].includes(bearer)) {
      const worker = await connecting;
      worker.send(helloOf());
      await worker.next('welcome');
      worker.close();
    } else if (bearer === 'none') (await connecting).close();
    else await expect(connecting).rejects.toThrow(scopes.includes(bearer) ? /403/ : /401/);
  });

  it.each(bearers)('by its hello is as it should be for %s', async (bearer) => {
    const worker = await connectRaw(gateway.url);
    worker.send(helloOf({ token: tokens[bearer] }));
    if (['admin', 'worker', 'volunteer'].includes(bearer)) await worker.next('welcome');
    else {
      expect(await worker.next('reject')).toMatchObject({ code: 'token', retryMs: 0 });
      expect((await worker.closed).code).toBe(4003);
    }
    worker.close();
  });

  it('that comes from a web page elsewhere is refused, whatever its token', async () => {
    const headers = { ...bearing('worker'), origin: 'https://elsewhere.example' };
    await expect(connectRaw(gateway.url, headers)).rejects.toThrow(/403/);
  });

  it.each(bearers)('that comes from our own page lets in volunteers alone, not %s', async (bearer) => {
    const worker = await connectRaw(gateway.url, { origin: gateway.url });
    worker.send(helloOf({ token: tokens[bearer] }));
    if (bearer === 'volunteer') await worker.next('welcome');
    else expect(await worker.next('reject')).toMatchObject({ code: 'token', retryMs: 0 });
    worker.close();
  });

  it('elsewhere than at its path is refused', async () => {
    await expect(connectRaw(`${gateway.url}/api`)).rejects.toThrow(/404/);
  });
});

describe('what a proxy hands on', () => {
  const forwarded: readonly Record<string, string>[] = [
    { 'x-forwarded-for': '203.0.113.7' },
    { 'x-forwarded-host': 'coordinator.example' },
    { 'x-real-ip': '203.0.113.7' },
    { forwarded: 'for=203.0.113.7' },
    { via: '1.1 proxy' },
  ];
  let open: TestGateway;
  beforeAll(async () => {
    open = await openTestGateway();
  });
  afterAll(async () => {
    await open.close();
  });

  it.each(forwarded)('with %o is refused where nobody needs a token', async (headers) => {
    const response = await fetch(`${open.url}/api/jobs`, { headers });
    expect(response.status).toBe(403);
    expect(await response.json()).toEqual({ error: expect.stringMatching(/^Cannot .*make tokens/) });
    await expect(connectRaw(open.url, headers)).rejects.toThrow(/403/);
    expect((await fetch(`${open.url}/api/jobs`)).status).toBe(200);
  });

  it.each(forwarded)('with %o is served where tokens say who asks', async (headers) => {
    const response = await fetch(`${gateway.url}/api/jobs`, { headers: { ...bearing('read'), ...headers } });
    expect(response.status).toBe(200);
  });
});

describe('requests', () => {
  it('of a web page from elsewhere are refused', async () => {
    const headers = { ...bearing('admin'), origin: 'https://elsewhere.example' };
    expect((await fetch(`${gateway.url}/api/jobs`, { headers })).status).toBe(403);
  });

  it('for what is not there say what is', async () => {
    const response = await fetch(`${gateway.url}/etc/passwd`);
    expect(response.status).toBe(404);
    expect(await response.text()).toMatch(/expected one of .*\/api\/jobs/);
    expect((await fetch(`${gateway.url}/api/jobs`, { method: 'PUT' })).status).toBe(405);
  });

  it('that announce too large a network are refused unread', async () => {
    const headers = { ...bearing('submit'), 'content-length': `${2 ** 40}` };
    const options = encodeURIComponent('{}');
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const sent = request(
        `${gateway.url}/api/jobs?options=${options}`,
        { method: 'POST', headers },
        (answer) => {
          resolve(answer.statusCode);
          sent.destroy();
        },
      );
      sent.on('error', reject);
      sent.flushHeaders();
    });
    expect(status).toBe(413);
  });

  it.each([
    ['no network', new Uint8Array(100), '{}'],
    ['a pickle', Uint8Array.of(0x80, 2, 0x7d, 0x71, 0, 0x2e), JSON.stringify({})],
    ['options that do not exist', network, JSON.stringify({ shell: 'rm' })],
    ['options that pollute', network, '{"__proto__": {"polluted": 1}}'],
  ])('with %s submit no job', async (_, body, options) => {
    const url = `${gateway.url}/api/jobs?options=${encodeURIComponent(options)}`;
    const response = await fetch(url, {
      method: 'POST',
      headers: bearing('submit'),
      body: new Uint8Array(body),
    });
    expect([400, 422]).toContain(response.status);
    expect(await response.text()).toMatch(/Cannot /);
    expect(Object.keys(Object.prototype)).toEqual([]);
  });
});

/** Returns a fresh volunteer's token. */
async function join(url: string): Promise<string> {
  const response = await fetch(`${url}/join`, { method: 'POST' });
  expect(response.status).toBe(201);
  return ((await response.json()) as { token: string }).token;
}

describe('joining', () => {
  it('gives everybody a token of his own that may volunteer', async () => {
    const mine = await join(gateway.url);
    expect(mine).not.toBe(await join(gateway.url));
    const worker = await connectRaw(gateway.url);
    worker.send(helloOf({ token: mine }));
    await worker.next('welcome');
    const headers = { authorization: `Bearer ${mine}` };
    const listed = await fetch(`${gateway.url}/api/workers`, { headers: bearing('read') });
    const { workers } = (await listed.json()) as { workers: { kind: string; worker: string }[] };
    expect(workers).toContainEqual(
      expect.objectContaining({ kind: 'volunteer', worker: mine.split('.')[3] }),
    );
    expect((await fetch(`${gateway.url}/api/jobs`, { headers })).status).toBe(403);
    worker.close();
  });

  it('is refused where volunteers are not wanted', async () => {
    const closed = await openTestGateway({ keys });
    expect((await fetch(`${closed.url}/join`, { method: 'POST' })).status).toBe(403);
    await closed.close();
  });

  it('is refused to a page elsewhere', async () => {
    const headers = { origin: 'https://elsewhere.example' };
    expect((await fetch(`${gateway.url}/join`, { method: 'POST', headers })).status).toBe(403);
  });

  it('makes a volunteer, not an admin, where nobody else needs a token', async () => {
    const open = await openTestGateway({ volunteers: true });
    const volunteer = await join(open.url);
    const status = async (token: string): Promise<number> =>
      (await fetch(`${open.url}/api/jobs`, { headers: { authorization: `Bearer ${token}` } })).status;
    expect(await status(volunteer)).toBe(403);
    expect(await status(`${volunteer}x`)).toBe(401);
    const page = await connectRaw(open.url, { origin: open.url });
    page.send(helloOf({ token: '' }));
    expect(await page.next('reject')).toMatchObject({ code: 'token' });
    page.close();
    await open.close();
  });

  it('shows the names and progress of jobs that run, and nothing to submit or steal', async () => {
    const headers = bearing('volunteer');
    const view: unknown = await (await fetch(`${gateway.url}/api/volunteer`, { headers })).json();
    expect(isSearchView(view)).toBe(true);
    expect(view).toMatchObject({ runningCount: 1, jobs: [{ job, name: 'test' }] });
  });
});

describe('where nobody needs a token', () => {
  it('a page that gave this machine another name is refused', async () => {
    const open = await openTestGateway();
    const status = await new Promise<number | undefined>((resolve, reject) => {
      const headers = { host: 'evil.example' };
      request(`${open.url}/api/jobs`, { headers }, (answer) => {
        answer.resume();
        resolve(answer.statusCode);
      })
        .on('error', reject)
        .end();
    });
    expect(status).toBe(403);
    expect((await fetch(`${open.url}/api/jobs`)).status).toBe(200);
    await open.close();
  });
});

describe('starting', () => {
  it.each([
    [{ host: '0.0.0.0' }, /without tokens/],
    [{ host: '::' }, /without tokens/],
    [{ host: '0.0.0.0', keys }, /without encryption/],
    [{ port: 70_000 }, /port 70000/],
    [{ threads: 0 }, /0 threads/],
  ])('with %j is refused with advice', async (options, message) => {
    await expect(openTestGateway(options)).rejects.toThrow(message);
  });

  it('on a port in use is refused with advice', async () => {
    await expect(openTestGateway({ port: gateway.port })).rejects.toThrow(/EADDRINUSE.*expected a free port/);
  });
});

describe('the log', () => {
  it('has one JSON object per line and no token in it', () => {
    const text = gateway.logLines.join('');
    expect(text).toContain('session-opened');
    for (const line of text.trimEnd().split('\n')) expect(JSON.parse(line)).toHaveProperty('event');
    for (const [bearer, token] of Object.entries(tokens)) {
      const mac = token.split('.').at(-1) ?? '';
      if (bearer !== 'none') expect(text).not.toContain(mac);
    }
  });
});

describe('a token that is revoked or expires', () => {
  it('ends its workers, says why, and opens nothing any more', async () => {
    let current = keys;
    const following: TokenKeys = {
      current: keys.current,
      previous: null,
      get revoked() {
        return current.revoked ?? new Map();
      },
    };
    const own = await openTestGateway({ keys: following });
    const issue = (id: string, ttlMs = hour): string =>
      issueToken(keys, { scope: 'worker', id, ttlMs }, Date.now());
    const [leaked, brief, good] = [issue('leaked'), issue('brief', 1500), issue('good')];
    const workers = await Promise.all(
      [leaked, brief, good].map(async (token) => {
        const worker = await connectRaw(own.url);
        worker.send({ ...helloOf(), token });
        await worker.next('welcome');
        return worker;
      }),
    );
    current = revokeTokens(keys, 'leaked');
    for (const worker of workers.slice(0, 2)) {
      expect(await worker.next('reject')).toMatchObject({ code: 'token', retryMs: 0 });
      expect(await worker.closed).toMatchObject({ code: 4003, reason: expect.stringMatching(/revoked/) });
    }
    expect(await statusOf(own.url, leaked)).toBe(401);
    expect(await statusOf(own.url, good)).toBe(403);
    workers[2]?.send({ kind: 'beat', hidden: false, holding: [] });
    await workers[2]?.next('beat');
    await own.close();
  });
});

async function statusOf(url: string, token: string): Promise<number> {
  const response = await fetch(`${url}/api/jobs`, { headers: { authorization: `Bearer ${token}` } });
  await response.arrayBuffer();
  return response.status;
}
