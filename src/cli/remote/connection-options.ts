/** Which coordinator, and who asks: the options of every command that talks to one. */
import { isLoopback } from '../../../coordinator/gateway/network-of.ts';
import { misuse } from '../../core/errors.ts';
import type { OptionRow, RawOptions } from '../option-table.ts';
import { numberOption, wholeNumber } from '../option-values.ts';
import { readInputFile } from '../read-input-file.ts';

/** A coordinator and a token for it. */
export interface Connection {
  readonly url: URL;
  /** '' where none is needed. */
  readonly token: string;
  /** How long to go on asking a coordinator that does not answer any more. */
  readonly retrySeconds: number;
}

/** How a token is given. */
export const tokenOptions: readonly OptionRow[] = [
  {
    name: 'token-file',
    value: 'FILE',
    help: 'file with an access token (default: the variable TOMBOLA_TOKEN)',
  },
  { name: 'token', value: 'TOKEN', help: 'an access token; other users of this machine may see it here' },
];

/** What allows a connection to another machine without encryption. */
export const insecureOption: OptionRow = {
  name: 'insecure',
  value: null,
  help: 'allow unencrypted connections to other machines: whoever is on the way can read the token',
};

/** Where the coordinator is. */
export const coordinatorOption: OptionRow = {
  name: 'coordinator',
  value: 'URL',
  help: 'the coordinator, http(s)://host:port, as tombola serve prints it',
};

/** How long to wait for a coordinator. */
export const retryOption: OptionRow = {
  name: 'retry-seconds',
  value: 'S',
  help: 'go on asking a coordinator that stopped answering for so long (default: 300)',
};

/** Options of the commands that ask a coordinator. */
export const connectionOptions: readonly OptionRow[] = [coordinatorOption, ...tokenOptions, insecureOption];

/** Options of a search on a coordinator, beyond those of any search. */
export const remoteSearchOptions: readonly OptionRow[] = [
  ...connectionOptions,
  retryOption,
  {
    name: 'priority',
    value: 'N',
    help: 'with a coordinator: jobs of higher priority come first, −1000 to 1000 (default: 0)',
  },
];

const retrySecondsDefault = 300;
const prioritySizeMax = 1000;
const tokenPattern = /^[!-~]{1,512}$/;

/**
 * Returns the connection that the options describe.
 * @throws TombolaError (misuse) when there is none, or a token would travel in the clear.
 */
export function parseConnection(raw: RawOptions): Connection {
  const text = raw.get('coordinator');
  if (text === undefined)
    throw misuse(
      'Cannot do this without a coordinator: name it with --coordinator URL, as tombola serve prints it',
    );
  return {
    url: coordinatorUrl(text, { isInsecureAllowed: raw.get('insecure') === 'true' }),
    token: readToken(raw),
    retrySeconds: numberOption(raw, 'retry-seconds', wholeNumber(0)) ?? retrySecondsDefault,
  };
}

/** Returns the priority of a submission. */
export function parsePriority(raw: RawOptions): number {
  return numberOption(raw, 'priority', wholeNumber(-prioritySizeMax, prioritySizeMax)) ?? 0;
}

/**
 * Returns the access token: --token, else the file, else TOMBOLA_TOKEN, else ''.
 * @throws TombolaError (misuse) when it cannot be one; the message does not hold it.
 */
export function readToken(raw: RawOptions): string {
  const file = raw.get('token-file');
  const given = raw.get('token');
  if (given !== undefined && file !== undefined)
    throw misuse('Cannot use --token and --token-file together: leave one of them out');
  const text =
    given ??
    (file === undefined
      ? (process.env.TOMBOLA_TOKEN ?? '')
      : new TextDecoder().decode(readInputFile(file, 'token file')));
  const token = text.trim();
  if (token === '' && given === undefined && file === undefined) return '';
  if (!tokenPattern.test(token))
    throw misuse(
      `Cannot use the token${file === undefined ? '' : ` in ${file}`}: expected one word, as tombola token prints it`,
    );
  return token;
}

/** Returns a URL as it may be shown. */
export function shownUrl(url: URL): string {
  return url.href.replace(/\/$/, '');
}

function coordinatorUrl(text: string, { isInsecureAllowed }: { isInsecureAllowed: boolean }): URL {
  const url = URL.canParse(text) ? new URL(text.replace(/^ws(s?):/i, 'http$1:')) : undefined;
  const isPlain = url?.protocol === 'http:';
  const isUsable = isPlain || url?.protocol === 'https:';
  if (url === undefined || !isUsable || url.username !== '' || url.password !== '')
    throw misuse(
      `Cannot use ${isUsable ? 'a URL with a password' : JSON.stringify(text.slice(0, 200))} as --coordinator: expected https://host:port; tokens are given with TOMBOLA_TOKEN, --token-file or --token`,
    );
  if (isPlain && !isInsecureAllowed && !isLoopback(url.hostname))
    throw misuse(
      `Cannot connect to ${url.host} without encryption: expected https://; give --insecure if the network is your own`,
    );
  // Routes are absolute, so anything behind the host would be lost.
  return new URL(url.origin);
}
