/**
 * `tombola serve`: the coordinator as a service. Its log is JSON on stderr.
 */
import { hostname } from 'node:os';
import { createSecureContext } from 'node:tls';
import { openLog } from '../../../coordinator/gateway/log.ts';
import { isLoopback } from '../../../coordinator/gateway/network-of.ts';
import { serve } from '../../../coordinator/gateway.ts';
import type { TokenKeys } from '../../../coordinator/tokens.ts';
import { kernelDigest } from '../../../worker/kernel/kernel.ts';
import { openPool } from '../../../worker/node/pool.ts';
import { gatewayUrl } from '../../../worker/node/web-socket.ts';
import { misuse } from '../../core/errors.ts';
import type { CommandContext, Outcome } from '../command-context.ts';
import type { RawOptions } from '../option-table.ts';
import { numberOption, wholeNumber } from '../option-values.ts';
import { readInputFile } from '../read-input-file.ts';
import { followTokenKeys, makeTokenKeys, readTokenKeys } from '../remote/token-keys-file.ts';
import { quote } from '../report/command-line.ts';
import { parseSharedOptions } from '../search-options.ts';
import { whenAborted } from '../unless-aborted.ts';

const portDefault = 7878;

/** Serves until the process is told to end. */
export async function serveCommand(raw: RawOptions, context: CommandContext): Promise<Outcome> {
  const directory = raw.get('data');
  if (directory === undefined)
    throw misuse('Cannot serve without a place for jobs and results: name it with --data DIR');
  const host = raw.get('host') ?? '127.0.0.1';
  const port = numberOption(raw, 'port', wholeNumber(0, 65_535)) ?? portDefault;
  const tls = readTls(raw);
  const { threads } = parseSharedOptions(raw);
  const isInsecure = raw.get('insecure') === 'true';
  if (!isLoopback(host) && tls === null && !isInsecure)
    throw misuse(
      `Cannot listen on ${host} without encryption: tokens could be read on the way; give --cert and --key, or --insecure if the network is your own`,
    );
  const gateways = raw.get('gateway')?.split(',') ?? [];
  const hasVolunteers = raw.get('volunteers') === 'true';
  // Whoever reads the log may leave; the coordinator stays.
  process.stderr.on('error', () => undefined);
  const writeLog = (line: string): void => {
    process.stderr.write(line);
  };
  const log = openLog(writeLog);
  const known = isLoopback(host) ? readTokenKeys(directory) : makeTokenKeys(directory);
  const keys: TokenKeys | null =
    known === undefined ? null : followTokenKeys(directory, known, (reason) => log('keys', { reason }));
  const solver = openPool({ threads });
  try {
    const coordinator = await serve({
      host,
      port,
      directory,
      keys,
      tls,
      insecure: isInsecure,
      threads,
      solver,
      build: kernelDigest,
      writeLog,
      gateways: gateways.map((url) => gatewayUrl(url, { insecure: isInsecure })),
      volunteers: hasVolunteers,
    });
    const url = reachableUrl(coordinator.url);
    context.print(
      context.isJson
        ? JSON.stringify({ url, port: coordinator.port, needsToken: keys !== null, data: directory })
        : greeting(url, {
            directory,
            needsToken: keys !== null,
            isPlain: tls === null && !isLoopback(host),
            hasVolunteers,
          }),
    );
    await whenAborted(context.signal);
    await coordinator.close();
    return 0;
  } finally {
    await solver.close();
  }
}

function greeting(
  url: string,
  {
    directory,
    needsToken,
    isPlain,
    hasVolunteers,
  }: { directory: string; needsToken: boolean; isPlain: boolean; hasVolunteers: boolean },
): string {
  const worker = `npx tombola worker ${url}${isPlain ? ' --insecure' : ''}`;
  const tokens = needsToken
    ? `, with TOMBOLA_TOKEN from: npx tombola token --data ${quote(directory)} --scope worker`
    : '';
  const volunteers = hasVolunteers ? `\nAnybody can lend a browser at ${url}/volunteer` : '';
  return `Coordinator at ${url}. Start workers with: ${worker}${tokens}${volunteers}`;
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
