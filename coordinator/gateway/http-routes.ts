/**
 * The coordinator's HTTP interface. Answers are JSON; an error is `{"error": "Cannot …"}` with one line that says what to do.
 *
 *   GET    /, /volunteer, …         anybody                  the web pages (pages.ts)
 *   GET    /healthz                 anybody                  200 when it runs
 *   GET    /readyz                  anybody                  200 when it can take work: 503 while its engine cannot be reached
 *   POST   /join                    anybody                  a volunteer's token, where volunteers are wanted
 *   GET    /api/volunteer           volunteer, read, submit, admin   the names and progress of the jobs that run
 *   GET    /metrics                 read, submit, admin      text for Prometheus
 *   GET    /api/jobs                read, submit, admin      all jobs
 *   POST   /api/jobs?name=&priority=&options=   submit, admin   the body is a network file (safetensors), options are JSON; the job
 *   GET    /api/jobs/ID             read, submit, admin      one job
 *   DELETE /api/jobs/ID             admin, submit with the id of who submitted it   cancels it; with ?remove=true forgets it and its results
 *   GET    /api/jobs/ID/ticket      submit, admin            the ticket file of a job that is done
 *   GET    /api/workers             read, submit, admin      who is connected, and how it does
 *   GET    /api/live?job=ID           read, submit, admin      all that changes, as lines of JSON (src/core/live/views.ts)
 *   GET    /api/blobs/SHA256        submit, admin            a blob by its digest
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { TombolaError } from '../../src/core/errors.ts';
import { jobNetworkBytesMax, jobOptionsBytesMax, uploadCountMax } from '../../src/core/limits.ts';
import type { Submission } from '../jobs/job-request.ts';
import type { JobStatus } from '../jobs/job-status.ts';
import { StoreTrouble } from '../jobs/job-store.ts';
import { reasonOf } from '../reason-of.ts';
import { isAllowed, type TokenAction } from '../tokens.ts';
import { type Access, bearerToken, type CheckAccess, type CheckOrigin, mayEnd } from './access.ts';
import type { ClientAddressOf } from './client-address.ts';
import type { Join } from './join.ts';
import type { LiveRoute } from './live/live-route.ts';
import type { Log } from './log.ts';
import { noPageHeaders, type Pages } from './pages.ts';

/** What the routes answer from. Methods that get an id return undefined for one that does not exist. */
export interface Backend {
  /** Whether jobs and results can be stored. */
  isReady(): boolean;
  jobs(): Promise<readonly object[]>;
  job(id: string): Promise<Pick<JobStatus, 'submitter'> | undefined>;
  /** @throws TombolaError when the network or the options cannot be used. */
  submit(submission: Submission): Promise<object>;
  cancel(id: string): Promise<object | undefined>;
  remove(id: string): Promise<object | undefined>;
  /** The sealed ticket's bytes; null while there is none. */
  ticket(id: string): Promise<Uint8Array | null | undefined>;
  blob(sha256: string): Promise<Uint8Array | undefined>;
  workers(): readonly object[];
  /** What volunteers may know of the search, as JSON. */
  searchView(): string;
  metrics(): Promise<{ readonly text: string; readonly contentType: string }>;
}

/** What the routes work with. */
export interface RouteOptions {
  readonly backend: Backend;
  readonly pages: Pages;
  readonly live: LiveRoute;
  /** Null: volunteers are not wanted. */
  readonly join: Join | null;
  readonly checkAccess: CheckAccess;
  readonly checkOrigin: CheckOrigin;
  readonly addressOf: ClientAddressOf;
  readonly log: Log;
}

interface Answer {
  readonly status: number;
  /** A function writes the body itself, for as long as it likes. */
  readonly body: object | Uint8Array | string | ((response: ServerResponse) => void);
  readonly headers?: Readonly<Record<string, string>>;
}

type Handler = (place: {
  readonly id: string;
  readonly request: IncomingMessage;
  readonly url: URL;
  /** Null only where anybody may ask. */
  readonly access: Access | null;
}) => Promise<Answer>;

interface Route {
  readonly method: string;
  /** The group is the id. */
  readonly path: RegExp;
  /** Null: anybody. */
  readonly action: TokenAction | null;
  readonly handle: Handler;
}

/** A proxy in between must not wait for more before it hands lines on. */
const feedHeaders = { 'content-type': 'application/x-ndjson', 'x-accel-buffering': 'no' };
const jobPath = '/api/jobs/([A-Za-z0-9][A-Za-z0-9_-]{0,63})';

/** Returns the listener for requests. */
export function httpRoutes(
  options: RouteOptions,
): (request: IncomingMessage, response: ServerResponse) => void {
  const routes = routeTable(options);
  return (request, response) => {
    request.on('error', (error) => options.log('request-error', { reason: reasonOf(error) }));
    response.on('error', (error) => options.log('response-error', { reason: reasonOf(error) }));
    answer(request, { routes, options })
      .catch((error: unknown) => answerFor(error, options.log))
      .then((found) => send(response, found))
      .catch((error: unknown) => {
        options.log('response-error', { reason: reasonOf(error) });
        response.destroy();
      });
  };
}

async function answer(
  request: IncomingMessage,
  { routes, options }: { routes: readonly Route[]; options: RouteOptions },
): Promise<Answer> {
  const url = urlOf(request);
  const isReading = request.method === 'GET' || request.method === 'HEAD';
  const page = isReading ? options.pages.answer(url.pathname, request) : undefined;
  const matching = routes.filter(({ path }) => path.test(url.pathname));
  const route = matching.find(({ method }) => method === request.method);
  if (matching.length === 0 && page === undefined) return notFound(url.pathname, options.join !== null);
  const objection = options.checkOrigin(request);
  if (objection !== null) return refusal(403, `Cannot serve this request: ${objection}`);
  if (page !== undefined) return page;
  if (route === undefined)
    return refusal(
      405,
      `Cannot ${request.method ?? ''} ${url.pathname}, expected ${matching.map(({ method }) => method).join(' or ')}`,
    );
  const access = route.action === null ? null : options.checkAccess(bearerToken(request) ?? '');
  if (route.action !== null) {
    if (access === null)
      return refusal(
        401,
        'Cannot tell who asks: expected a valid token (Authorization: Bearer TOKEN); ask the operator for one (tombola token)',
        { 'www-authenticate': 'Bearer' },
      );
    if (!isAllowed(access.scope, route.action))
      return refusal(
        403,
        `Cannot ${route.action} with a token for ${access.scope}; ask the operator for another one (tombola token)`,
      );
  }
  const id = route.path.exec(url.pathname)?.[1] ?? '';
  return route.handle({ id, request, url, access });
}

function routeTable({ backend, join, live, addressOf }: RouteOptions): readonly Route[] {
  let uploads = 0;
  const route = (method: string, path: string, action: Route['action'], handle: Handler): Route => ({
    method,
    path: new RegExp(`^${path}$`),
    action,
    handle,
  });
  const submit: Handler = async ({ request, url, access }) => {
    const asked = { ...submitOptions(url), submitter: access?.id ?? '' };
    if (uploads >= uploadCountMax)
      return refusal(503, 'Cannot take another upload now: try again in a minute', { 'retry-after': '60' });
    uploads++;
    try {
      return { status: 201, body: await backend.submit({ ...asked, network: await readBody(request) }) };
    } finally {
      uploads--;
    }
  };
  return [
    route('GET', '/healthz', null, async () => ({ status: 200, body: { ok: true } })),
    route('GET', '/readyz', null, async () => {
      const isReady = backend.isReady();
      return { status: isReady ? 200 : 503, body: { ready: isReady } };
    }),
    route('POST', '/join', null, async ({ request }) => joinAnswer(join, addressOf(request))),
    route('GET', '/api/volunteer', 'watch', async () => ({ status: 200, body: backend.searchView() })),
    route('GET', '/metrics', 'read', async () => {
      const { text, contentType } = await backend.metrics();
      return { status: 200, body: text, headers: { 'content-type': contentType } };
    }),
    route('GET', '/api/jobs', 'read', async () => ({ status: 200, body: { jobs: await backend.jobs() } })),
    route('POST', '/api/jobs', 'submit', submit),
    route('GET', jobPath, 'read', async ({ id }) => found(await backend.job(id), `job ${id}`)),
    route('DELETE', jobPath, 'cancel', async ({ id, url, access }) => {
      const job = await backend.job(id);
      if (job !== undefined && (access === null || !mayEnd(access, job)))
        return refusal(
          403,
          `Cannot end job ${id}: it is somebody else's, expected a token with the id ${job.submitter} or one for admin`,
        );
      const isRemoved = url.searchParams.get('remove') === 'true';
      return found(await (isRemoved ? backend.remove(id) : backend.cancel(id)), `job ${id}`);
    }),
    route('GET', `${jobPath}/ticket`, 'fetch', async ({ id }) => {
      const ticket = await backend.ticket(id);
      return ticket === null
        ? refusal(409, `Cannot fetch the ticket of job ${id}: it has none yet; its status says why`)
        : found(ticket, `job ${id}`);
    }),
    route('GET', '/api/workers', 'read', async ({ url }) => {
      const workers = backend.workers();
      return { status: 200, body: { count: workers.length, workers: pageOf(workers, url) } };
    }),
    route('GET', '/api/live', 'read', async ({ request, url }) => {
      const open = live(request, url);
      return open === null
        ? refusal(503, 'Cannot take another viewer now: try again in a minute', { 'retry-after': '60' })
        : { status: 200, body: open, headers: feedHeaders };
    }),
    route('GET', '/api/blobs/([0-9a-f]{64})', 'fetch', async ({ id }) =>
      found(await backend.blob(id), `blob ${id}`),
    ),
  ];
}

function notFound(path: string, hasVolunteers: boolean): Answer {
  if (path === '/volunteer' && !hasVolunteers)
    return refusal(
      404,
      `Cannot find ${path}: volunteers are not wanted here; the operator starts it with --volunteers`,
    );
  const others = hasVolunteers ? ', /volunteer, /join' : '';
  return refusal(
    404,
    `Cannot find ${path}, expected one of /${others}, /healthz, /readyz, /metrics, /api/jobs, /api/workers, /api/live, /api/blobs/SHA256`,
  );
}

function joinAnswer(join: Join | null, address: string): Answer {
  if (join === null)
    return refusal(
      403,
      'Cannot join: volunteers are not wanted here; the operator starts it with --volunteers',
    );
  const joined = join.mint(address, performance.now());
  if ('token' in joined) return { status: 201, body: joined };
  return refusal(429, 'Cannot join now: too many from this network have done so; try again in a while', {
    'retry-after': `${joined.retrySeconds}`,
  });
}

/** All of a list, or `count` of it from `from` on. */
function pageOf(list: readonly object[], { searchParams }: URL): readonly object[] {
  const [from, count] = [searchParams.get('from') ?? '0', searchParams.get('count') ?? `${list.length}`];
  if (!/^\d{1,9}$/.test(from) || !/^\d{1,9}$/.test(count))
    throw new BadRequest('Cannot list this part, expected whole numbers for from and count');
  return list.slice(Number(from), Number(from) + Number(count));
}

function submitOptions(url: URL): { options: unknown; name: string; priority: number } {
  const name = url.searchParams.get('name') ?? '';
  const text = url.searchParams.get('options') ?? '{}';
  const priority = Number(url.searchParams.get('priority') ?? '0');
  if (!Number.isInteger(priority) || Math.abs(priority) > 1000)
    throw new BadRequest('Cannot submit with this priority, expected a whole number from -1000 to 1000');
  if (text.length > jobOptionsBytesMax)
    throw new BadRequest(
      `Cannot submit: ${text.length} bytes of options, expected at most ${jobOptionsBytesMax}`,
    );
  try {
    return { options: JSON.parse(text), name, priority };
  } catch {
    throw new BadRequest('Cannot submit: the options are not JSON');
  }
}

/** A request that cannot be served as it is. */
class BadRequest extends Error {
  override readonly name = 'BadRequest';
  readonly status: number;

  constructor(message: string, status = 400) {
    super(message);
    this.status = status;
  }
}

async function readBody(request: IncomingMessage): Promise<Uint8Array> {
  const tooBig = new BadRequest(`Cannot take an upload above ${jobNetworkBytesMax} bytes`, 413);
  if (Number(request.headers['content-length'] ?? 0) > jobNetworkBytesMax) throw tooBig;
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of request as AsyncIterable<Uint8Array>) {
    sizeBytes += part.length;
    if (sizeBytes > jobNetworkBytesMax) throw tooBig;
    parts.push(part);
  }
  const body = new Uint8Array(sizeBytes);
  let offset = 0;
  for (const part of parts) {
    body.set(part, offset);
    offset += part.length;
  }
  return body;
}

function found(value: object | Uint8Array | undefined, name: string): Answer {
  if (value === undefined) return refusal(404, `Cannot find ${name}: there is none of that name`);
  if (!(value instanceof Uint8Array)) return { status: 200, body: value };
  return { status: 200, body: value, headers: { 'content-type': 'application/octet-stream' } };
}

function refusal(status: number, error: string, headers: Readonly<Record<string, string>> = {}): Answer {
  return { status, body: { error }, headers };
}

function answerFor(error: unknown, log: Log): Answer {
  if (error instanceof BadRequest) return refusal(error.status, error.message);
  if (error instanceof StoreTrouble) return refusal(503, error.message);
  if (error instanceof TombolaError) return refusal(error.kind === 'misuse' ? 400 : 422, error.message);
  log('request-failed', { reason: reasonOf(error) });
  return refusal(500, 'Cannot answer: something is wrong here; the coordinator’s log says what');
}

function send(response: ServerResponse, { status, body, headers }: Answer): void {
  if (response.destroyed) return;
  if (typeof body === 'function') {
    response.writeHead(status, { 'cache-control': 'no-store', ...noPageHeaders, ...headers });
    body(response);
    return;
  }
  const isBytes = body instanceof Uint8Array;
  const bytes = isBytes || typeof body === 'string' ? body : `${JSON.stringify(body)}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    ...(status === 304 ? {} : { 'content-length': Buffer.byteLength(bytes) }),
    'cache-control': 'no-store',
    ...noPageHeaders,
    // A refused upload is not read to its end.
    ...(status === 413 ? { connection: 'close' } : {}),
    ...headers,
  });
  response.end(bytes);
}

function urlOf(request: IncomingMessage): URL {
  try {
    return new URL(request.url ?? '/', 'http://local');
  } catch {
    throw new BadRequest('Cannot read the address of this request');
  }
}
