/** Requests that no client of ours sends: the coordinator answers or drops each of them, and the next one as ever. */
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openTestGateway, type TestGateway } from '../support/test-gateway.ts';

let gateway: TestGateway;
beforeAll(async () => {
  gateway = await openTestGateway();
});
afterAll(async () => {
  await gateway.close();
});

/** Returns all that comes back for these bytes until the coordinator ends the connection. */
function answerTo(text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(gateway.port, '127.0.0.1', () => socket.write(text));
    let answer = '';
    socket.on('data', (data) => {
      answer += data.toString('latin1');
    });
    socket.on('error', () => undefined);
    socket.once('close', () => resolve(answer));
  });
}

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n';
const targets = [
  '//',
  '///ws',
  'http://[',
  'http://[/ws',
  'http://127.0.0.1/ws',
  'http://a:99999/ws',
  '*',
  '/%',
  '/ws/',
];

describe.each(targets)('a request for %s', (target) => {
  it('with an upgrade gets a 404, and the coordinator goes on', async () => {
    const answer = await answerTo(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 404 /);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });

  it('without one gets an answer, and the coordinator goes on', async () => {
    const answer = await answerTo(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 (200|40[0-9]) /);
    expect((await fetch(`${gateway.url}/healthz`)).status).toBe(200);
  });
});

it('an upgrade with a query after the path is let in', async () => {
  const socket = connect(gateway.port, '127.0.0.1');
  socket.write(`GET /ws?x=1 HTTP/1.1\r\nHost: 127.0.0.1\r\n${upgrade}\r\n`);
  const answer = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
  expect(answer.toString('latin1')).toMatch(/^HTTP\/1\.1 101 /);
  socket.destroy();
});
