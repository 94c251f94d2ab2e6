/**
 * The two web pages, as `npm run build` leaves them in dist/pages: the dashboard at /, the volunteer page at /volunteer. All files
 * are read once, when the coordinator starts, and only these are served: a path is looked up, never followed.
 *
 * Assets have a hash of their content in their name and may be kept for ever; the documents that name them are asked for anew each
 * time, which an ETag makes cheap. The headers let a page load and run nothing but its own files, talk to nobody but this coordinator
 * (and, the volunteer page, to the gateways it names), be framed by nobody, and use no device.
 */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import type { IncomingMessage } from 'node:http';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

/** A page's file as an answer. */
export interface PageAnswer {
  readonly status: 200 | 304;
  readonly body: Uint8Array;
  readonly headers: Readonly<Record<string, string>>;
}

/** The pages that a coordinator serves. */
export interface Pages {
  /** Returns the answer to a GET or HEAD of the path; undefined when no page has it. */
  answer(pathname: string, request: IncomingMessage): PageAnswer | undefined;
}

/** What the pages depend on. */
export interface PagesOptions {
  /** Serves the volunteer page too. */
  readonly hasVolunteers: boolean;
  /** WebSocket URLs that the volunteer page may connect to, besides its own host. */
  readonly gateways: readonly string[];
  /** Browsers shall never come without encryption again. */
  readonly isEncrypted: boolean;
  /** Where the built pages lie, if not in dist. */
  readonly directory?: string;
}

/** Headers of every answer, pages and others. */
export const safetyHeaders: Readonly<Record<string, string>> = {
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer',
  'cross-origin-resource-policy': 'same-origin',
};

/** Headers of answers that are no pages: should one ever be shown as a document, it may do nothing. */
export const noPageHeaders: Readonly<Record<string, string>> = {
  ...safetyHeaders,
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
};

const contentTypes: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
};

const yearSeconds = 31_536_000;

/** Returns the pages; none where they have not been built. */
export function openPages(options: PagesOptions): Pages {
  const directory = options.directory ?? builtPages();
  const files = new Map<string, PageFile>();
  const add = (page: string, base: string, policy: string): void => {
    for (const name of filesIn(join(directory, page))) {
      const isDocument = name === 'index.html';
      const path = isDocument ? base : `${base}/${name}`.replace('//', '/');
      files.set(path, pageFile(readFileSync(join(directory, page, name)), { name, policy, options }));
    }
  };
  add('dashboard', '/', policyOf({ connectTo: [], mayCompute: false }));
  if (options.hasVolunteers)
    add('volunteer', '/volunteer', policyOf({ connectTo: options.gateways.map(originOf), mayCompute: true }));
  return {
    answer: (pathname, request) => {
      const file = files.get(pathname);
      return file === undefined ? undefined : answerWith(file, request);
    },
  };
}

interface PageFile {
  readonly plain: Uint8Array;
  readonly gzipped: Uint8Array;
  readonly digest: string;
  readonly headers: Readonly<Record<string, string>>;
}

function pageFile(
  plain: Uint8Array,
  { name, policy, options }: { name: string; policy: string; options: PagesOptions },
): PageFile {
  const isDocument = name === 'index.html';
  return {
    plain,
    gzipped: gzipSync(plain, { level: 9 }),
    digest: createHash('sha256').update(plain).digest('base64url'),
    headers: {
      ...safetyHeaders,
      'content-type': contentTypes[extname(name)] ?? 'application/octet-stream',
      'cache-control': isDocument ? 'no-cache' : `public, max-age=${yearSeconds}, immutable`,
      vary: 'accept-encoding',
      // Scripts carry the policies too: a worker is bound by those of its own script.
      'content-security-policy': policy,
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-embedder-policy': 'require-corp',
      'permissions-policy': 'camera=(), geolocation=(), microphone=(), payment=(), usb=()',
      ...(options.isEncrypted ? { 'strict-transport-security': `max-age=${yearSeconds}` } : {}),
    },
  };
}

function answerWith({ plain, gzipped, digest, headers }: PageFile, request: IncomingMessage): PageAnswer {
  const isGzipped = /\bgzip\b/.test(request.headers['accept-encoding']?.toString() ?? '');
  const etag = `"${digest}${isGzipped ? '-gzip' : ''}"`;
  if (request.headers['if-none-match']?.includes(etag) === true)
    return { status: 304, body: new Uint8Array(0), headers: { ...headers, etag } };
  return {
    status: 200,
    body: isGzipped ? gzipped : plain,
    headers: { ...headers, etag, ...(isGzipped ? { 'content-encoding': 'gzip' } : {}) },
  };
}

function policyOf(page: { readonly connectTo: readonly string[]; readonly mayCompute: boolean }): string {
  return [
    "default-src 'none'",
    `script-src 'self'${page.mayCompute ? " 'wasm-unsafe-eval'" : ''}`,
    `worker-src ${page.mayCompute ? "'self'" : "'none'"}`,
    ["connect-src 'self'", ...page.connectTo].join(' '),
    "style-src 'self'",
    "img-src 'self'",
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
    "require-trusted-types-for 'script'",
    `trusted-types ${page.mayCompute ? 'tombola' : "'none'"}`,
  ].join('; ');
}

/** The address of a gateway without its path: a directive must not hold what else the URL may. */
function originOf(url: string): string {
  const { protocol, host } = new URL(url);
  return `${protocol.replace('http', 'ws')}//${host}`;
}

/** Paths of all files of a folder, relative to it. */
function filesIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true, recursive: true })
      .filter((entry) => entry.isFile())
      .map(({ parentPath, path, name }) => join(parentPath ?? path, name).slice(folder.length + 1))
      .map((path) => path.replaceAll('\\', '/'));
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}

/** Compiled, this file lies in dist/coordinator/gateway; run from its source, as tests do, two folders below the repository root. */
function builtPages(): string {
  const place = import.meta.url.endsWith('.ts') ? '../../dist/pages' : '../../pages';
  return fileURLToPath(new URL(place, import.meta.url));
}
