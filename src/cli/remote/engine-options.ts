/** Where coordinators share what they keep: the options of commands that know the engine. */
import { misuse } from '../../core/errors.ts';
import type { OptionRow, RawOptions } from '../option-table.ts';
import { numberOption, wholeNumber } from '../option-values.ts';

/** NATS servers, as the coordinator takes them. */
export interface EngineOptions {
  readonly address: string;
  readonly replicas: number;
  /** Null: they are not asked whether they keep what they acknowledge. */
  readonly monitors?: readonly string[] | null;
}

const replicasDefault = 3;

/** How an engine is named. */
export const engineOption: OptionRow = {
  name: 'engine',
  value: 'URL',
  help: 'nats://[user:password@]host[:port][,host…]: share jobs and results with other coordinators over NATS (default: the variable TOMBOLA_ENGINE); tls:// beyond your own network',
};

/** All that concerns the engine. */
export const engineOptionRows: readonly OptionRow[] = [
  engineOption,
  {
    name: 'engine-replicas',
    value: 'N',
    help: 'NATS servers that keep a copy of everything: 3 survive the loss of one, 1 is for trying out (default: 3)',
  },
  {
    name: 'engine-monitor',
    value: 'URL[,URL…]',
    help: 'monitoring ports of all NATS servers, asked whether they sync what they acknowledge (default: http://HOST:8222 of each)',
  },
  {
    name: 'engine-unchecked',
    value: null,
    help: 'do not ask: for development; a power failure may lose what was acknowledged',
  },
];

/** Returns the engine that was named, or undefined where each coordinator keeps its own. */
export function engineOptionsOf(raw: RawOptions): EngineOptions | undefined {
  const address = raw.get('engine') ?? process.env.TOMBOLA_ENGINE;
  const isUnchecked = raw.get('engine-unchecked') === 'true';
  const monitors = raw.get('engine-monitor')?.split(',');
  const replicas = numberOption(raw, 'engine-replicas', wholeNumber(1, 5));
  if (address === undefined || address === '') {
    if (isUnchecked || monitors !== undefined || replicas !== undefined)
      throw misuse('Cannot use options of an engine without one: name it with --engine nats://HOST');
    return undefined;
  }
  if (isUnchecked && monitors !== undefined)
    throw misuse('Cannot use --engine-monitor with --engine-unchecked: leave one of them out');
  const trimmed = monitors?.map((url) => url.replace(/\/$/, ''));
  for (const url of trimmed ?? [])
    if (!URL.canParse(url))
      throw misuse(`Cannot use --engine-monitor ${url}: expected a URL like http://host:8222`);
  return {
    address,
    replicas: replicas ?? replicasDefault,
    ...(isUnchecked ? { monitors: null } : trimmed === undefined ? {} : { monitors: trimmed }),
  };
}
