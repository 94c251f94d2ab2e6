/**
 * Where requests come from. Behind a proxy the peer of every connection is that proxy. It adds the address of whoever asked it to the
 * end of X-Forwarded-For; what stands before that is the asker's own word, which may be anything.
 */
import type { IncomingMessage } from 'node:http';
import { BlockList, isIP, SocketAddress } from 'node:net';
import { misuse } from '../../src/core/errors.ts';
import { isLoopback } from './network-of.ts';

/** Says from which address a request comes; '' when its connection has ended. */
export type ClientAddressOf = (request: IncomingMessage) => string;

/**
 * Returns the proxies with these addresses and networks (ADDR/BITS).
 * @throws TombolaError (misuse) for what is neither.
 */
export function proxyList(places: readonly string[]): BlockList {
  const proxies = new BlockList();
  for (const place of places) {
    const [, network, bits] = /^(.+)\/(\d{1,3})$/.exec(place) ?? [];
    try {
      if (network === undefined) proxies.addAddress(place, familyOf(place));
      else proxies.addSubnet(network, Number(bits), familyOf(network));
    } catch (cause) {
      throw misuse(
        `Cannot believe the proxy ${JSON.stringify(place.slice(0, 100))}: expected an address or a network, like 10.0.0.7, 10.0.0.0/8 or fd00:1::/48`,
        cause,
      );
    }
  }
  return proxies;
}

/**
 * Returns how to tell where requests come from. Where the peer is one of these proxies, it is the last of the addresses that it names
 * which is none of them; else, or where that is no address, it is the peer's own. A loopback address that it names is not this
 * machine's, which limits spare, so that the peer's own counts there too.
 */
export function clientAddressOf(proxies?: BlockList): ClientAddressOf {
  const isProxy = (address: string): boolean => proxies?.check(address, familyOf(address)) === true;
  return ({ headers, socket: { remoteAddress: peer = '' } }) => {
    if (!isProxy(peer)) return peer;
    const hops = String(headers['x-forwarded-for'] ?? '').split(',');
    const client = hops.map((hop) => hop.trim()).findLast((hop) => !isProxy(hop)) ?? '';
    if (isIP(client) === 0) return peer;
    const { address } = new SocketAddress({ address: client, family: familyOf(client) });
    return isLoopback(address) ? peer : address;
  };
}

function familyOf(address: string): 'ipv4' | 'ipv6' {
  return isIP(address) === 6 ? 'ipv6' : 'ipv4';
}
