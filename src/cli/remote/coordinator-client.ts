/**
 * A coordinator's HTTP interface (coordinator/gateway/http-routes.ts) from outside. Every failure is one line that says what to do;
 * those that may pass by themselves are {@link UnreachableError}s.
 */
import type { PlanOptionsJson } from '../../../coordinator/jobs/job-request.ts';
import { failure, misuse, TombolaError } from '../../core/errors.ts';
import { fileSha256 } from '../file-digest.ts';
import { type Connection, shownUrl } from './connection-options.ts';
import {
  type JobFigures,
  type JobView,
  plainText,
  readFigures,
  readJob,
  readJobs,
  readRefusal,
  readWorkers,
  type WorkerRow,
} from './job-view.ts';

/** The coordinator does not answer, or says that it will later. */
export class UnreachableError extends TombolaError {
  constructor(message: string, cause?: unknown) {
    super('failure', message, { cause });
  }
}

/** What is submitted. */
export interface JobSubmission {
  /** A network file. */
  readonly network: Uint8Array;
  readonly options: PlanOptionsJson;
  readonly name: string;
  readonly priority: number;
}

/** Bytes of an answer in JSON: ten thousand jobs have fewer. */
const jsonBytesMax = 1 << 27;
/** Bytes of a ticket or a network: more than any of them may have. */
const blobBytesMax = 2 ** 31 - 1;
/** Time without any answer, for what is small. */
const answerMs = 30_000;
/** The largest upload or ticket at 1 MB/s. */
const transferMs = 600_000;
/** Statuses by which a coordinator, or a proxy before it, says that it is not there now. */
const passingStatuses: readonly number[] = [502, 503, 504];

interface Question {
  readonly method?: 'GET' | 'POST' | 'DELETE';
  readonly path: string;
  /** For messages: "submit a job". */
  readonly action: string;
  /** A scope that would do. */
  readonly scope: 'read' | 'submit';
  readonly body?: Uint8Array;
  readonly timeoutMs?: number;
  readonly bytesMax?: number;
}

/** Talks to one coordinator. It holds no connection that has to be closed. */
export class CoordinatorClient {
  /** Without what must not be shown. */
  readonly url: string;
  private readonly connection: Connection;
  private readonly signal: AbortSignal;

  constructor(connection: Connection, signal: AbortSignal) {
    this.connection = connection;
    this.signal = signal;
    this.url = shownUrl(connection.url);
  }

  jobs(): Promise<readonly JobView[]> {
    return this.json({ path: '/api/jobs', action: 'list jobs', scope: 'read' }, readJobs);
  }

  job(id: string): Promise<JobView> {
    return this.json({ path: jobPath(id), action: `read job ${id}`, scope: 'read' }, readJob);
  }

  workers(): Promise<readonly WorkerRow[]> {
    return this.json({ path: '/api/workers', action: 'list workers', scope: 'read' }, readWorkers);
  }

  submit({ network, options, name, priority }: JobSubmission): Promise<JobView> {
    const query = new URLSearchParams({ name, priority: String(priority), options: JSON.stringify(options) });
    const question: Question = {
      method: 'POST',
      path: `/api/jobs?${query}`,
      action: 'submit a job',
      scope: 'submit',
      body: network,
      timeoutMs: transferMs,
    };
    return this.json(question, readJob);
  }

  cancel(id: string): Promise<JobView> {
    const question: Question = {
      method: 'DELETE',
      path: jobPath(id),
      action: `cancel job ${id}`,
      scope: 'submit',
    };
    return this.json(question, readJob);
  }

  /** Returns a blob whose digest is as it should be. */
  async blob(sha256: string, what: string): Promise<Uint8Array> {
    const bytes = await this.bytes({
      path: `/api/blobs/${sha256}`,
      action: `fetch ${what}`,
      scope: 'submit',
      timeoutMs: transferMs,
      bytesMax: blobBytesMax,
    });
    const found = fileSha256(bytes);
    if (found !== sha256)
      throw failure(
        `Cannot fetch ${what} from ${this.url}: its SHA-256 is ${found.slice(0, 16)}…, expected ${sha256.slice(0, 16)}…; check the coordinator's disk`,
      );
    return bytes;
  }

  /** Returns what the coordinator knows of a job beyond its ticket. */
  async figures(summaryBlob: string): Promise<JobFigures> {
    return this.parse(await this.blob(summaryBlob, "the job's summary"), readFigures);
  }

  private async json<T>(question: Question, read: (value: unknown) => T): Promise<T> {
    return this.parse(await this.bytes(question), read);
  }

  private parse<T>(bytes: Uint8Array, read: (value: unknown) => T): T {
    try {
      return read(JSON.parse(new TextDecoder().decode(bytes)));
    } catch (cause) {
      throw failure(
        `Cannot understand what ${this.url} answers: expected a Tombola coordinator of this version; check the URL`,
        cause,
      );
    }
  }

  private async bytes(question: Question): Promise<Uint8Array> {
    const timeout = AbortSignal.timeout(question.timeoutMs ?? answerMs);
    try {
      const response = await this.ask(question, AbortSignal.any([this.signal, timeout]));
      const body = await bodyOf(response, question.bytesMax ?? jsonBytesMax);
      if (response.ok) return body;
      throw this.refusal(question, response.status, body);
    } catch (error) {
      if (this.signal.aborted) throw this.signal.reason;
      if (error instanceof TombolaError) throw error;
      throw this.unreachable(error);
    }
  }

  private ask({ method = 'GET', path, body }: Question, signal: AbortSignal): Promise<Response> {
    const { url, token } = this.connection;
    return fetch(new URL(path, url), {
      method,
      signal,
      // A token goes to whom it was meant for only.
      redirect: 'manual',
      headers: token === '' ? {} : { authorization: `Bearer ${token}` },
      // A view of its own, since fetch wants one that is not shared.
      ...(body === undefined ? {} : { body: new Uint8Array(body) }),
    });
  }

  private refusal({ action, scope, path }: Question, status: number, body: Uint8Array): TombolaError {
    const { url } = this;
    const make = `make one on the coordinator's machine with: npx tombola token --data DIR --scope ${scope}`;
    if (status === 401)
      return misuse(
        this.connection.token === ''
          ? `Cannot ${action} at ${url} without a token of scope ${scope}; ${make}, and give it with TOMBOLA_TOKEN, --token-file or --token`
          : `Cannot ${action} at ${url}: the token is not valid there, or not any more; ${make}`,
      );
    const reason = refusalOf(body);
    if (status === 403 && reason.includes('with a token for '))
      return misuse(`Cannot ${action} at ${url}: the token is for something else, not ${scope}; ${make}`);
    if (status === 404 && path.startsWith('/api/blobs/') && reason !== '')
      return failure(`Cannot ${action} from ${url}: it has lost it; submit the search again`);
    if (status === 404 && path.startsWith('/api/jobs/') && reason !== '')
      return misuse(
        `Cannot ${action} at ${url}: there is no such job; npx tombola status --coordinator ${url} lists them`,
      );
    if (passingStatuses.includes(status))
      return new UnreachableError(
        `Cannot ${action} at ${url}: it answers ${status}${reason === '' ? '' : `, ${reason}`}; try again later`,
      );
    if (reason === '')
      return failure(
        `Cannot ${action} at ${url}: it answers ${status}, expected a Tombola coordinator; check the URL`,
      );
    return status < 500 ? misuse(`${reason} (${url})`) : failure(`${reason} (${url})`);
  }

  private unreachable(error: unknown): UnreachableError {
    const { url } = this;
    const { port, protocol } = this.connection.url;
    const start = `start one with: npx tombola serve${port === '' ? '' : ` --port ${port}`} --data DIR`;
    const broken = `the connection broke; ${protocol === 'http:' ? 'is it https? Else ' : ''}see whether it still runs`;
    const advice: Readonly<Record<string, string>> = {
      ECONNREFUSED: `nobody listens there; check the URL, or ${start}`,
      ENOTFOUND: 'there is no machine of that name; check the URL',
      EAI_AGAIN: 'its name cannot be resolved now; check the network',
      ECONNRESET: broken,
      UND_ERR_SOCKET: broken,
      TimeoutError: 'no answer in time; see whether it still runs',
    };
    const code = codeOf(error);
    const isTls = /CERT|SELF_SIGNED|TLS|SSL/.test(code);
    const reason = isTls
      ? `its certificate or encryption is not accepted (${plainText(code)}); name the authority's file in NODE_EXTRA_CA_CERTS, or check whether it is https or http`
      : (advice[code] ?? `${plainText(code)}; check the URL, or ${start}`);
    return new UnreachableError(`Cannot reach the coordinator ${url}: ${reason}`, error);
  }
}

function jobPath(id: string): string {
  if (!/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/.test(id))
    throw misuse(
      `Cannot use ${JSON.stringify(plainText(id))} as a job: expected the id that submit and status print`,
    );
  return `/api/jobs/${id}`;
}

function refusalOf(body: Uint8Array): string {
  try {
    return readRefusal(JSON.parse(new TextDecoder().decode(body)));
  } catch {
    // Not JSON, so not ours.
    return '';
  }
}

/** Returns the body of a response, of bounded length. */
async function bodyOf({ body }: Response, bytesMax: number): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let sizeBytes = 0;
  for await (const part of (body ?? []) as AsyncIterable<Uint8Array>) {
    sizeBytes += part.length;
    if (sizeBytes > bytesMax)
      throw failure(`Cannot take an answer above ${bytesMax} bytes; check the coordinator's URL`);
    parts.push(part);
  }
  return Buffer.concat(parts);
}

/** Node's fetch puts the cause into the cause, or into a list of them. */
function codeOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { cause } = error;
  const first: unknown = cause instanceof AggregateError ? cause.errors[0] : cause;
  for (const each of [first, cause, error])
    if (each instanceof Error && 'code' in each && typeof each.code === 'string') return each.code;
  if (error.name === 'TimeoutError') return error.name;
  return cause instanceof Error ? cause.message : error.message;
}
