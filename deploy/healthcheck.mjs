/** Exits with 0 when the gateway in this container answers. TOMBOLA_HEALTH_URL where it does not listen on port 7878 without TLS. */
const url = process.env.TOMBOLA_HEALTH_URL ?? 'http://127.0.0.1:7878/healthz';
try {
  const { ok } = await fetch(url, { signal: AbortSignal.timeout(4000) });
  process.exitCode = ok ? 0 : 1;
} catch (error) {
  console.error(`Cannot reach ${url}: ${error instanceof Error ? error.message : error}`);
  process.exitCode = 1;
}
