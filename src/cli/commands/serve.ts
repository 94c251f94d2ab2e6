/**
 * `tombola serve`: the coordinator as a service. Its log is JSON on stderr.
 */
import { hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import { proxyList } from '../../../coordinator/gateway/client-address.ts';
import { openLog } from '../../../coordinator/gateway/log.ts';
import { isLoopback } from '../../../coordinator/gateway/network-of.ts';
import { type RunningCoordinator, serve } from '../../../coordinator/gateway.ts';
import type { TokenKeys } from '../../../coordinator/tokens.ts';
import { kernelDigest } from '../../../worker/kernel/kernel.ts';
import { openPool, type SolverPool } from '../../../worker/node/pool.ts';
import { gatewayUrl } from '../../../worker/node/web-socket.ts';
import { misuse } from '../../core/errors.ts';
import { tileSecondsDefault, tileSecondsMax, tileSecondsMin } from '../../core/limits.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { numberFrom, numberOption, wholeNumber } from '../option-values.ts';
import { readInputFile } from '../read-input-file.ts';
import { engineOptionsOf } from '../remote/engine-options.ts';
import { followSharedKeys } from '../remote/shared-token-keys.ts';
import { followTokenKeys } from '../remote/token-keys-file.ts';
import { quote } from '../report/command-line.ts';
import { openFolder } from '../run-folder.ts';
import { parseSharedOptions } from '../search-options.ts';
import { whenAborted } from '../unless-aborted.ts';

const portDefault = 7878;

/** A coordinator that was started by its options. */
export interface StartedCoordinator extends RunningCoordinator {
  /** Under which others may reach it: by this machine's name, and as it was told. */
  readonly urls: readonly string[];
  /** Null: nobody needs a token. */
  readonly keys: TokenKeys | null;
  readonly isInsecure: boolean;
  readonly threads: number;
  /** The threads that plan; they solve too. */
  readonly solver: SolverPool;
  /** Where to find it and its keys, for whoever starts workers. */
  readonly greeting: string;
  readonly description: object;
}

/** Serves until the process is told to end. */
export async function serveCommand(raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const coordinator = await startCoordinator(raw);
  context.print(context.isJson ? JSON.stringify(coordinator.description) : coordinator.greeting);
  await whenAborted(context.signal);
  await coordinator.close();
  return 0;
}

/** Starts a coordinator; whoever does closes it. */
export async function startCoordinator(raw: RawOptions): Promise<StartedCoordinator> {
  const { engine, data, host, tls, threads, isInsecure, advertise, hasVolunteers, ...rest } = parseServe(raw);
  // Whoever reads the log may leave; the coordinator stays.
  process.stderr.on('error', () => undefined);
  const writeLog = (line: string): void => {
    process.stderr.write(line);
  };
  if (data !== undefined) openFolder(data, { option: '--data', mode: 0o700 });
  const log = openLog(writeLog);
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    for (const end of closers.splice(0).reverse()) await end();
  };
  try {
    const onTrouble = (reason: string): void => log('keys', { reason });
    const following = { isNeeded: !isLoopback(host), onTrouble };
    const directory = data ?? '';
    let keys: TokenKeys | null;
    if (engine === undefined) keys = followTokenKeys(directory, following);
    else {
      const shared = await followSharedKeys(engine, following);
      closers.push(() => shared.close());
      keys = shared.keys;
    }
    const solver = openPool({ threads });
    closers.push(() => solver.close());
    const common = { ...rest, host, directory, keys, tls, insecure: isInsecure, threads, solver };
    const coordinator = await serve({
      ...common,
      build: kernelDigest,
      writeLog,
      volunteers: hasVolunteers,
      ...(engine === undefined ? {} : { cluster: engine }),
      ...(advertise === undefined ? {} : { advertise }),
    });
    closers.push(() => coordinator.close());
    const url = reachableUrl(coordinator.url);
    const needsToken = keys !== null;
    const isPlain = tls === null && !isLoopback(host);
    const place = data === undefined ? '--engine URL' : `--data ${quote(data)}`;
    return {
      ...coordinator,
      urls: advertise === undefined ? [url] : [url, advertise],
      keys,
      isInsecure,
      threads,
      solver,
      greeting: greeting(url, { place, needsToken, isPlain, hasVolunteers }),
      description: { url, port: coordinator.port, needsToken, ...(data === undefined ? {} : { data }) },
      close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

/** What the options say, before anything is opened. @throws TombolaError (misuse) where that cannot be. */
function parseServe(raw: RawOptions) {
  const engine = engineOptionsOf(raw);
  const data = raw.get('data');
  if (data === undefined && engine === undefined)
    throw misuse(
      'Cannot serve without a place for jobs and results: name it with --data DIR, or share one with --engine nats://HOST',
    );
  if (data !== undefined && engine !== undefined)
    throw misuse(
      'Cannot use --data with --engine: jobs, results and keys are kept in the engine; leave one out',
    );
  const host = raw.get('host') ?? '127.0.0.1';
  const tls = readTls(raw);
  const { threads } = parseSharedOptions(raw);
  const isInsecure = raw.get('insecure') === 'true';
  if (!isLoopback(host) && tls === null && !isInsecure)
    throw misuse(
      `Cannot listen on ${host} without encryption: tokens could be read on the way; give --cert and --key, or --insecure if the network is your own`,
    );
  const reachable = (url: string): string => gatewayUrl(url, { insecure: isInsecure });
  const proxyPlaces = raw.get('proxy')?.split(',');
  const advertised = raw.get('advertise');
  const seconds = numberOption(raw, 'tile-seconds', numberFrom(tileSecondsMin, tileSecondsMax));
  return {
    engine,
    data,
    host,
    port: numberOption(raw, 'port', wholeNumber(0, 65_535)) ?? portDefault,
    tls,
    threads,
    isInsecure,
    gateways: raw.get('gateway')?.split(',').map(reachable) ?? [],
    proxies: proxyPlaces && proxyList(proxyPlaces),
    advertise: advertised === undefined ? undefined : reachable(advertised),
    tileSize: { kind: 'seconds', seconds: seconds ?? tileSecondsDefault } as const,
    hasVolunteers: raw.get('volunteers') === 'true',
  };
}

function greeting(
  url: string,
  {
    place,
    needsToken,
    isPlain,
    hasVolunteers,
  }: { place: string; needsToken: boolean; isPlain: boolean; hasVolunteers: boolean },
): string {
  const worker = `npx tombola worker ${url}${isPlain ? ' --insecure' : ''}`;
  const tokens = needsToken ? `, with TOMBOLA_TOKEN from: npx tombola token ${place} --scope worker` : '';
  const volunteers = hasVolunteers ? `\nAnybody can lend a browser at ${url}/volunteer` : '';
  return `Coordinator at ${url}, with its dashboard there. Start workers with: ${worker}${tokens}${volunteers}`;
}

/** 0.0.0.0 is no address to connect to. */
function reachableUrl(url: string): string {
  return url.replace(/\/\/(0\.0\.0\.0|\[::\])(?=:)/, `//${hostname()}`);
}

function readTls(raw: RawOptions): { cert: string; key: string } | null {
  const [certFile, keyFile] = [raw.get('cert'), raw.get('key')];
  if (certFile === undefined && keyFile === undefined) return null;
  if (certFile === undefined || keyFile === undefined)
    throw misuse(
      `Cannot use --${certFile === undefined ? 'key' : 'cert'} alone: give both --cert FILE and --key FILE`,
    );
  const text = (path: string, what: string): string => new TextDecoder().decode(readInputFile(path, what));
  const tls = { cert: text(certFile, 'certificate'), key: text(keyFile, 'private key') };
  try {
    createSecureContext(tls);
  } catch (cause) {
    throw misuse(
      `Cannot use ${certFile} with ${keyFile}: expected a certificate and its private key, both PEM without a password`,
      cause,
    );
  }
  return tls;
}
