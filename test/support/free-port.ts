/** Ports to listen on again after a restart. */
import { createServer } from 'node:net';

/** Below those that systems hand out by themselves: from 32768 on Linux, 49152 elsewhere. */
const range = { first: 20_000, count: 10_000 };

let next = (process.pid * 97) % range.count;

/** Returns a free port that nobody gets who does not ask for it by its number, so that it stays free while nobody listens. */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = range.first + (next++ % range.count);
    if (await isFree(port)) return port;
  }
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
