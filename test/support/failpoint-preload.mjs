// Kills its own process at the nth call of one kind of the store's or of a socket's calls:
//   FAILPOINT=level.batch:n FAILPOINT_FOLDER=DIR node --import ./failpoint-preload.mjs program …
// 2k is before the kth call, 2k + 1 after it. There are LevelDB's calls, those on files of the folder, and what WebSockets send.
// Kinds are counted apart, because how their calls interleave is another in every run.
import fs from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { fileURLToPath } from 'node:url';
import { isMainThread } from 'node:worker_threads';
import { ClassicLevel } from 'classic-level';
import { WebSocket } from 'ws';

const failpoint = process.env.FAILPOINT ?? '';
const [kind, number] = failpoint.split(':');
const folder = process.env.FAILPOINT_FOLDER ?? '';
let calls = 0;

/** Dies like a process that is killed: nothing is flushed, nobody is told. */
function die(label, when) {
  process.stderr.write(`failpoint ${failpoint}: ${when} ${label}\n`);
  process.kill(process.pid, 'SIGKILL');
}

function watch(owner, name, { label, isCounted = () => true }) {
  if (label !== kind) return;
  const original = owner[name];
  owner[name] = function watched(...args) {
    if (!isCounted(args[0])) return original.apply(this, args);
    const call = calls++;
    if (2 * call === Number(number)) die(label, 'before');
    const result = original.apply(this, args);
    if (2 * call + 1 !== Number(number)) return result;
    if (typeof result?.then !== 'function') die(label, 'after');
    return result.finally(() => die(label, 'after'));
  };
}

if (isMainThread) {
  for (const name of ['open', 'batch', 'getMany', 'get', 'close'])
    watch(ClassicLevel.prototype, name, { label: `level.${name}` });
  for (const name of ['send', 'close', 'terminate'])
    watch(WebSocket.prototype, name, { label: `socket.${name}` });
  const isCounted = (path) => typeof path === 'string' && path.startsWith(folder);
  for (const name of ['mkdir', 'readdir', 'open', 'rename', 'rm', 'readFile'])
    watch(fs, name, { label: `file.${name}`, isCounted });
  syncBuiltinESMExports();
  const handle = await fs.open(fileURLToPath(import.meta.url));
  for (const name of ['writeFile', 'sync'])
    watch(Object.getPrototypeOf(handle), name, { label: `handle.${name}` });
  await handle.close();
}
