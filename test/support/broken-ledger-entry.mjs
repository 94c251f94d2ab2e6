// A ledger that breaks an invariant of its own, in a process that would run for ever: node broken-ledger-entry.mjs '{}'
import { openLedgerShell } from '../../dist/coordinator/gateway/ledger-shell.js';
import { openLog } from '../../dist/coordinator/gateway/log.js';
import { runningJobsMax } from '../../dist/src/core/limits.js';

const shell = openLedgerShell({
  nowMs: () => performance.now(),
  log: openLog((line) => process.stderr.write(line)),
});
setInterval(() => shell.tick(), 250);
for (let count = 0; count < runningJobsMax; count++) shell.port.addJob(`job-${count}`, 0);
try {
  shell.port.addJob('one-too-many', 0);
} catch {
  process.stdout.write('the caller goes on\n');
}
