/** Options of the distributed commands, apart from these, so that no command has to load what only another one needs. */
import { tokenScopes } from '../../../coordinator/tokens.ts';
import { tileSecondsDefault, tileSecondsMax, tileSecondsMin } from '../../core/limits.ts';
import type { OptionRow } from '../option-table.ts';
import { connectionOptions, insecureOption, tokenOptions } from './connection-options.ts';
import { engineOptionRows } from './engine-options.ts';

/** Options of the coordinator. */
export const serveOptions: readonly OptionRow[] = [
  { name: 'data', value: 'DIR', help: 'where jobs, results and keys are kept; made if it is not there' },
  { name: 'port', value: 'N', help: 'port to listen on, 0 for any free one (default: 7878)' },
  {
    name: 'host',
    value: 'ADDR',
    help: 'address to listen on, 0.0.0.0 for all (default: 127.0.0.1); others than loopback need tokens and encryption',
  },
  { name: 'cert', value: 'FILE', help: 'certificate chain for TLS, PEM' },
  { name: 'key', value: 'FILE', help: 'its private key, PEM' },
  { name: 'insecure', value: null, help: 'allow other addresses than loopback without encryption' },
  {
    name: 'gateway',
    value: 'URL[,URL…]',
    help: 'other addresses of this coordinator that workers may move to',
  },
  {
    name: 'proxy',
    value: 'ADDR[,ADDR…]',
    help: 'proxies in front of it, or their networks (ADDR/BITS): limits count those whom they name in X-Forwarded-For; needs tokens',
  },
  {
    name: 'volunteers',
    value: null,
    help: 'let anybody who reaches it lend it a browser, at /volunteer; they see the names of jobs and the weights they work on',
  },
  {
    name: 'tile-seconds',
    value: 'S',
    help: `how long one core should take for a tile, ${tileSecondsMin} to ${tileSecondsMax} (default: ${tileSecondsDefault}): longer ones are less work for a coordinator with thousands of threads, but a worker that goes loses those it is at. A job that goes on with another value begins anew: all gateways of an engine need the same`,
  },
  ...engineOptionRows,
  {
    name: 'advertise',
    value: 'URL',
    help: 'with --engine: under which URL workers reach this coordinator (default: where it listens)',
  },
  {
    name: 'threads',
    value: 'N',
    help: 'threads that plan, check results and verify tickets (default: the available cores)',
  },
];

/** Options of a worker. */
export const workerOptions: readonly OptionRow[] = [
  { name: 'threads', value: 'N', help: 'threads that solve (default: the available cores)' },
  ...tokenOptions,
  insecureOption,
];

/** Options of a token. */
export const tokenCommandOptions: readonly OptionRow[] = [
  {
    name: 'data',
    value: 'DIR',
    help: "the coordinator's data directory; its keys are made if there are none",
  },
  ...engineOptionRows.slice(0, 2),
  {
    name: 'scope',
    value: 'SCOPE',
    help: `what it is for: ${tokenScopes.join(' | ')}`,
  },
  { name: 'ttl-hours', value: 'H', help: 'hours until it expires (default: 168, a week)' },
  {
    name: 'id',
    value: 'NAME',
    help: 'names the bearer: in logs and bans, and as the owner of jobs (default: random)',
  },
  {
    name: 'rotate',
    value: null,
    help: 'make a new key first; tokens of the last key are good for one more day, older ones end now',
  },
];

/** Options of `tombola token revoke`. */
export const revokeOptions: readonly OptionRow[] = [
  { name: 'data', value: 'DIR', help: "the coordinator's data directory" },
  ...engineOptionRows.slice(0, 2),
];

/** Options of `tombola status`. */
export const statusOptions: readonly OptionRow[] = [
  ...connectionOptions,
  { name: 'watch', value: null, help: 'show it again and again, until the job is over' },
];
