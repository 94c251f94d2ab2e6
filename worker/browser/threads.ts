/** Starts the page's own threads, and nothing else: its policy takes no URL that does not come through here. */
import solverUrl from './solver-thread.ts?worker&url';
import timerUrl from './timer-thread.ts?worker&url';

interface UrlPolicy {
  createScriptURL(url: string): string;
}

/** The part of Trusted Types that is used here; browsers without them take the string. */
const { trustedTypes } = globalThis as {
  trustedTypes?: {
    createPolicy(name: string, rules: { createScriptURL(url: string): string }): UrlPolicy;
  };
};

const policy: UrlPolicy = trustedTypes?.createPolicy('tombola', { createScriptURL: onlyOurs }) ?? {
  createScriptURL: onlyOurs,
};

/** Returns a new thread that solves; see solver-thread.ts. */
export function startSolverThread(): Worker {
  return start(solverUrl);
}

/** Returns a new thread that keeps timers; see timer-thread.ts. */
export function startTimerThread(): Worker {
  return start(timerUrl);
}

function start(url: string): Worker {
  return new Worker(policy.createScriptURL(url), { type: 'module' });
}

function onlyOurs(url: string): string {
  if (url !== solverUrl && url !== timerUrl)
    throw new TypeError(`Cannot run ${url}: it is no thread of this page`);
  return url;
}
