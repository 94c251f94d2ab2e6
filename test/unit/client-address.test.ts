/** Whose address counts where proxies hand requests on. */
import { IncomingMessage } from 'node:http';
import { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { clientAddressOf, proxyList } from '../../coordinator/gateway/client-address.ts';
import { networkOf } from '../../coordinator/gateway/network-of.ts';

const ingress = '10.1.0.9';

/** Returns a request from the peer, with these X-Forwarded-For. */
function request(peer: string | undefined, forwardedFor?: string): IncomingMessage {
  const socket = Object.defineProperty(new Socket(), 'remoteAddress', { value: peer });
  const message = new IncomingMessage(socket);
  if (forwardedFor !== undefined) message.headers['x-forwarded-for'] = forwardedFor;
  return message;
}

describe('a client’s address', () => {
  const addressOf = clientAddressOf(proxyList(['10.0.0.0/8', '192.0.2.1', 'fd00:1::/48']));

  it.each([
    ['one proxy', ingress, '203.0.113.7', '203.0.113.7'],
    ['two proxies', ingress, '203.0.113.7, 10.2.0.3', '203.0.113.7'],
    ['a proxy named alone', '192.0.2.1', '203.0.113.7', '203.0.113.7'],
    ['a proxy of an IPv6 network', 'fd00:1:0:5::2', '2001:db8::7', '2001:db8::7'],
    ['a proxy at an IPv6 socket', `::ffff:${ingress}`, '203.0.113.7', '203.0.113.7'],
    ['proxies of both kinds', ingress, '203.0.113.7,fd00:1::2,\t::ffff:10.9.9.9 ', '203.0.113.7'],
    ['a client that says it is another one', ingress, '198.51.100.1, 203.0.113.7', '203.0.113.7'],
    ['a client that says it is a proxy', ingress, '198.51.100.1, 10.0.0.1, 203.0.113.7', '203.0.113.7'],
    ['a client that writes nonsense', ingress, 'a,,\u0000,203.0.113.7', '203.0.113.7'],
    ['an address written at length', ingress, '2001:0DB8:0:0::0007', '2001:db8::7'],
  ])('is what %s named', (_, peer, forwardedFor, address) => {
    expect(addressOf(request(peer, forwardedFor))).toBe(address);
  });

  it.each([
    ['nothing', undefined],
    ['an empty list', ''],
    ['only proxies', '10.0.0.1, 10.0.0.2'],
    ['a name', 'client.example'],
    ['a port too', '203.0.113.7:1234'],
    ['nobody behind somebody', '203.0.113.7, '],
    ['what no address can be', '203.0.113.7, 203.0.113.256'],
    ['that it is unknown', '203.0.113.7, unknown'],
    ['an address in brackets', '[2001:db8::1]'],
    ['a machine of its own', '127.0.0.1'],
    ['a machine of its own in disguise', '203.0.113.7, ::ffff:7f00:1'],
  ])('is the proxy’s own where that names %s', (_, forwardedFor) => {
    expect(addressOf(request(ingress, forwardedFor))).toBe(ingress);
  });

  it.each(['203.0.113.9', '11.0.0.1', '127.0.0.1', '192.0.2.2', 'fd00:2::1', ''])(
    'is the peer’s own where that is no proxy: %j',
    (peer) => {
      expect(addressOf(request(peer, '198.51.100.1'))).toBe(peer);
    },
  );

  it('is none where the connection has ended', () => {
    expect(addressOf(request(undefined, '198.51.100.1'))).toBe('');
  });

  it('is the peer’s own where no proxies are named', () => {
    expect(clientAddressOf()(request('127.0.0.1', '198.51.100.1'))).toBe('127.0.0.1');
  });

  it('counts as the same network however it is written', () => {
    const networks = ['::ffff:203.0.113.7', '::ffff:cb00:7107', '203.0.113.8'].map((text) =>
      networkOf(addressOf(request(ingress, text))),
    );
    expect(new Set(networks)).toEqual(new Set(['203.0.113']));
  });

  it('is found behind a header of any length', () => {
    const long = `${'10.0.0.1,'.repeat(100_000)}203.0.113.7`;
    expect(addressOf(request(ingress, long))).toBe('203.0.113.7');
    expect(addressOf(request(ingress, 'x'.repeat(1_000_000)))).toBe(ingress);
    expect(addressOf(request(ingress, '10.0.0.1,'.repeat(5000).slice(0, -1)))).toBe(ingress);
  });
});

describe('a list of proxies', () => {
  it.each([
    '',
    'ingress',
    '10.0.0.0/',
    '10.0.0.0/33',
    '10.0.0.0/-1',
    '10.0.0.0/8/8',
    '10.0.0',
    ' 10.0.0.1',
    'fd00::/129',
    '/8',
    '10.0.0.0/0x8',
    '*',
  ])('without %j is refused with advice', (place) => {
    expect(() => proxyList(['10.0.0.1', place])).toThrow(
      /^Cannot believe the proxy .*expected .*10\.0\.0\.0\/8/,
    );
  });
});
