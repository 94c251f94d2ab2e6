/** The start of a search that a coordinator runs. */
import { planOptionsToJson } from '../../../coordinator/jobs/job-request.ts';
import { encodeNetwork } from '../../core/format/network-file.ts';
import type { LoadedTarget } from '../load-target.ts';
import type { SearchOptions } from '../search-options.ts';
import type { CoordinatorClient } from './coordinator-client.ts';
import type { JobView } from './job-view.ts';

/** Where and how a search runs that does not run here. */
export interface RemotePlace {
  readonly client: CoordinatorClient;
  readonly priority: number;
  readonly retrySeconds: number;
}

/** Submits a search and returns its job. The same target and options are the same job, however often they are submitted. */
export function submitSearch(
  { target, options }: { readonly target: LoadedTarget; readonly options: SearchOptions },
  { client, priority }: Pick<RemotePlace, 'client' | 'priority'>,
): Promise<JobView> {
  return client.submit({
    network: encodeNetwork(target.network),
    options: planOptionsToJson(options.plan),
    name: options.name ?? target.name,
    priority,
  });
}
