/** Whom an address belongs to: limits count networks, since one machine may have many addresses in its own. */
import { isIPv4, isIPv6 } from 'node:net';

/** Returns the IPv4 /24 or IPv6 /64 of an address; an IPv4 address written as IPv6 counts as IPv4. */
export function networkOf(address: string): string {
  const plain = plainAddress(address);
  if (isIPv4(plain)) return plain.split('.').slice(0, 3).join('.');
  return isIPv6(plain) ? expandedGroups(plain).slice(0, 4).join(':') : plain;
}

/** Returns the IPv4 /24 or IPv6 /48 of an address: a site may have as many /64 as there are numbers of 16 bits. */
export function siteOf(address: string): string {
  return networkOf(address).split(':').slice(0, 3).join(':');
}

/** Returns whether an address or host name is this machine's own. */
export function isLoopback(host: string): boolean {
  const plain = plainAddress(host.replace(/^\[|\]$/g, '')).toLowerCase();
  if (isIPv4(plain)) return plain.startsWith('127.');
  return plain === 'localhost' || (isIPv6(plain) && expandedGroups(plain).join(':') === '0:0:0:0:0:0:0:1');
}

function plainAddress(address: string): string {
  return address.replace(/^::ffff:(?=\d+\.\d+\.\d+\.\d+$)/i, '').replace(/%.*$/, '');
}

/** The eight groups of an IPv6 address. */
function expandedGroups(address: string): string[] {
  const [head = '', tail] = address.split('::');
  const groups = (part: string): string[] => (part === '' ? [] : part.split(':'));
  const [first, last] = [groups(head), groups(tail ?? '')];
  const zeros = tail === undefined ? 0 : 8 - first.length - last.length;
  return [...first, ...Array.from({ length: zeros }, () => '0'), ...last].map((group) =>
    Number.parseInt(group, 16).toString(16),
  );
}
