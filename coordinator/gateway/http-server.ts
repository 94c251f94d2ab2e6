/** The listener that requests and WebSockets come in by. */
import { createServer as createHttpServer, type Server } from 'node:http';
import { createServer as createHttpsServer } from 'node:https';
import { misuse } from '../../src/core/errors.ts';
import { connectionCountMax } from '../../src/core/limits.ts';
import { reasonOf } from '../reason-of.ts';

/** Returns a server, encrypted where there is a certificate, that holds what a stranger may cost it within limits. */
export function httpServer(tls: { readonly cert: string; readonly key: string } | null): Server {
  const limits = { maxHeaderSize: 8192, connectionsCheckingInterval: 5000 };
  const server = tls === null ? createHttpServer(limits) : createHttpsServer({ ...limits, ...tls });
  server.headersTimeout = 10_000;
  // The largest upload at 1 MB/s; anything else is over long before.
  server.requestTimeout = 300_000;
  server.timeout = 60_000;
  server.maxConnections = connectionCountMax + 1000;
  return server;
}

/** Resolves when the server listens. @throws TombolaError (misuse) where it cannot. */
export function listen(server: Server, { host, port }: { host: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (error: Error): void =>
      reject(
        misuse(
          `Cannot listen on ${host}:${port}: ${reasonOf(error)}, expected a free port of this machine`,
          error,
        ),
      );
    server.once('error', fail);
    server.listen(port, host, () => {
      server.off('error', fail);
      resolve();
    });
  });
}
