/** Where a coordinator may listen: what is not this machine's own alone needs tokens, and encryption or a word that it is wanted so. */
import { misuse } from '../../src/core/errors.ts';
import { isLoopback } from './network-of.ts';

/**
 * Does nothing where the address may be used so.
 * @throws TombolaError (misuse) otherwise, saying what is missing.
 */
export function checkListenAddress(listen: {
  readonly host: string;
  readonly port: number;
  readonly hasKeys: boolean;
  readonly isEncrypted: boolean;
  readonly insecure: boolean;
  /** Proxies hand on to it what comes from others. */
  readonly isProxied: boolean;
}): void {
  const { host, port, hasKeys, isEncrypted, insecure, isProxied } = listen;
  if (!Number.isInteger(port) || port < 0 || port > 65_535)
    throw misuse(`Cannot listen on port ${port}, expected a whole number from 0 to 65535`);
  if (isProxied && !hasKeys)
    throw misuse(
      'Cannot believe proxies without tokens: whoever reaches them could do anything; make keys first (tombola token)',
    );
  if (isLoopback(host)) return;
  if (!hasKeys)
    throw misuse(
      `Cannot listen on ${host} without tokens: anybody could use it; make keys first (tombola token), or listen on 127.0.0.1`,
    );
  if (!isEncrypted && !insecure)
    throw misuse(
      `Cannot listen on ${host} without encryption: tokens could be read on the way; give --cert and --key, or --insecure if the network is your own`,
    );
}
