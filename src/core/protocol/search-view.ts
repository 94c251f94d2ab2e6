/**
 * What volunteers see of the search (GET /api/volunteer, JSON): which jobs run, under which name, and how far they are. No weights, no
 * tickets, no workers.
 */

/** One layer of a job. */
export interface LayerView {
  readonly name: string;
  readonly copies: number;
  readonly copiesWanted: number;
}

/** A job that runs. */
export interface JobView {
  readonly job: string;
  /** As its submitter named it; may be ''. */
  readonly name: string;
  /** In [0, 1]. */
  readonly share: number;
  /** Blocks of the whole job; 0 before it has been planned. */
  readonly blocksWanted: number;
  /** Of all workers, of late. */
  readonly blocksPerSecond: number;
  /** Null while nobody knows. */
  readonly secondsLeft: number | null;
  /** None before the job has been planned. */
  readonly layers: readonly LayerView[];
}

/** The search as its volunteers see it. */
export interface SearchView {
  /** In the order of submission, the first few of them. */
  readonly jobs: readonly JobView[];
  readonly runningCount: number;
  /** Connections of volunteers, and of other workers. */
  readonly volunteerCount: number;
  readonly workerCount: number;
}

/** Returns whether a decoded answer is a view, field by field; it may have more fields than these. */
export function isSearchView(value: unknown): value is SearchView {
  return (
    isRecord(value) &&
    isListOf(value.jobs, isJobView) &&
    isSize(value.runningCount) &&
    isSize(value.volunteerCount) &&
    isSize(value.workerCount)
  );
}

function isJobView(value: unknown): boolean {
  return (
    isRecord(value) &&
    typeof value.job === 'string' &&
    typeof value.name === 'string' &&
    isSize(value.share) &&
    isSize(value.blocksWanted) &&
    isSize(value.blocksPerSecond) &&
    (value.secondsLeft === null || isSize(value.secondsLeft)) &&
    isListOf(value.layers, isLayerView)
  );
}

function isLayerView(value: unknown): boolean {
  return (
    isRecord(value) && typeof value.name === 'string' && isSize(value.copies) && isSize(value.copiesWanted)
  );
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}

function isSize(value: unknown): boolean {
  return typeof value === 'number' && Number.isFinite(value) && value >= 0;
}

function isListOf(value: unknown, check: (item: unknown) => boolean): boolean {
  return Array.isArray(value) && value.every(check);
}
