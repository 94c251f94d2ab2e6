/** Searches of all shared targets end to end, through the command line, on all threads. */
import { measure, targetSearches } from '../targets.mjs';

/** Runs the group; `pattern` chooses targets by name, `quick` takes the first one only. */
export async function targets({ quick, note, pattern }) {
  const searches = targetSearches().filter(
    ({ target }) => pattern === undefined || target.file.includes(pattern),
  );
  if (searches.length === 0) note('no shared targets to search');
  const rows = [];
  for (const { target, mode } of quick ? searches.slice(0, 1) : searches) {
    const { target: name, seconds } = measure(target, mode);
    const what = `${name}, ${mode === 'exact' ? 'exact int8' : 'ε = 1e-2'}`;
    for (const step of ['plan', 'solve', 'verify'])
      rows.push({ name: `${what}: ${step}`, value: seconds[step], unit: 's' });
    const whole = seconds.plan + seconds.solve + seconds.verify;
    rows.push({ name: `${what}: plan, solve and verify`, value: whole, unit: 's' });
    note(what);
  }
  return rows;
}
