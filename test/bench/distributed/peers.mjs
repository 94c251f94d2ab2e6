/** Peers with the real codec and no kernel: idle workers and abusive ones, many in one process. */
import { connect } from 'node:net';
import { setPriority } from 'node:os';
import { WebSocket } from 'ws';
import { encodeMessage } from '../../../dist/src/core/protocol/codec.js';
import { kernelDigest } from '../../../dist/worker/kernel/kernel.js';

const { url } = JSON.parse(process.argv[2] ?? '{}');
const socketUrl = `${url.replace(/^http/, 'ws')}/ws`;
const { hostname, port } = new URL(url);
const open = new Set();
const counts = { connections: 0, frames: 0, refusedConnections: 0, closed: {} };
const timers = new Set();
let isOver = false;

function socketOf(token) {
  const socket = new WebSocket(socketUrl, {
    perMessageDeflate: false,
    headers: token === undefined || token === '' ? {} : { authorization: `Bearer ${token}` },
  });
  socket.on('error', () => {
    counts.refusedConnections++;
  });
  socket.once('open', () => {
    counts.connections++;
    open.add(socket);
  });
  socket.once('close', (code) => {
    open.delete(socket);
    counts.closed[code] = (counts.closed[code] ?? 0) + 1;
  });
  return socket;
}

function helloOf(workerId) {
  return encodeMessage({
    kind: 'hello',
    protocolMin: 1,
    protocolMax: 1,
    build: kernelDigest,
    runtime: 'node',
    workerId,
    sessionId: `session-${workerId}`,
    threads: 4,
    blocksPerSecond: 0,
    token: '',
    holding: [],
  });
}

/** An idle worker: hello, want, a beat every ten seconds. */
function joinIdle(index) {
  return new Promise((resolve) => {
    const socket = socketOf();
    const beat = encodeMessage({ kind: 'beat', holding: [], hidden: false });
    socket.once('open', () => socket.send(helloOf(`idle-${process.pid}-${index}`)));
    socket.once('message', () => {
      socket.send(encodeMessage({ kind: 'want', slots: 16 }));
      const timer = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send(beat), 10_000);
      timers.add(timer);
      resolve();
    });
  });
}

/** Sends the frame again and again, as fast as the other side reads. */
function sendForEver(socket, frame, perTurn = 64) {
  const turn = () => {
    if (socket.readyState !== WebSocket.OPEN || isOver) return;
    for (let k = 0; k < perTurn && socket.bufferedAmount < 1 << 20; k++) {
      socket.send(frame);
      counts.frames++;
    }
    setImmediate(turn);
  };
  turn();
}

/** Comes back whenever it is thrown out, after a short while, as a program that ignores every rule would. */
function again(make) {
  const start = () => {
    if (isOver) return;
    make().once('close', () => {
      const timer = setTimeout(start, 50);
      timers.add(timer);
      timer.unref();
    });
  };
  start();
}

const volunteerTile = 'a'.repeat(64);
const abuses = {
  malformed: (token) =>
    again(() => {
      const socket = socketOf(token);
      const junk = Uint8Array.from({ length: 2000 }, (_, k) => (k * 7919 + 13) & 255);
      socket.once('open', () => sendForEver(socket, junk, 4));
      return socket;
    }),
  oversized: (token) =>
    again(() => {
      const socket = socketOf(token);
      socket.once('open', () => {
        socket.send(new Uint8Array(2 << 20));
        counts.frames++;
      });
      return socket;
    }),
  storm: (token) =>
    again(() => {
      const socket = socketOf(token);
      socket.once('open', () => socket.terminate());
      return socket;
    }),
  silent: (token) => again(() => socketOf(token)),
  /** Half a request, and nothing more. */
  slow: () => {
    const socket = connect(Number(port), hostname, () =>
      socket.write('GET /ws HTTP/1.1\r\nHost: localhost\r\n'),
    );
    socket.on('error', () => undefined);
    return socket;
  },
  pings: (token) =>
    again(() => {
      const socket = socketOf(token);
      socket.once('open', () => {
        socket.send(helloOf('pinger'));
        const turn = () => {
          if (socket.readyState !== WebSocket.OPEN || isOver) return;
          for (let k = 0; k < 64 && socket.bufferedAmount < 1 << 20; k++) {
            socket.ping('x'.repeat(100));
            counts.frames++;
          }
          setImmediate(turn);
        };
        turn();
      });
      return socket;
    }),
  /** Valid messages at full speed: credit again and again, and results of tiles that nobody has. */
  valid: (token, index) =>
    again(() => {
      const socket = socketOf(token);
      const frame =
        index % 2 === 0
          ? encodeMessage({ kind: 'want', slots: 1 })
          : encodeMessage({
              kind: 'result',
              job: 'bench',
              tile: volunteerTile,
              spec: volunteerTile,
              token: new Uint8Array(24),
              attempt: 1,
              body: new Uint8Array(20_000),
              computeMs: 1,
            });
      socket.once('open', () => {
        socket.send(helloOf(`eager-${index}`));
        sendForEver(socket, frame);
      });
      return socket;
    }),
};

const answers = {
  join: async ({ count }) => {
    for (let from = 0; from < count; from += 50)
      await Promise.all(Array.from({ length: Math.min(50, count - from) }, (_, k) => joinIdle(from + k)));
    return {};
  },
  abuse: ({ tokens }) => {
    // Attackers are on other machines: what they spend on attacking must not be missing here.
    setPriority(10);
    const kinds = Object.values(abuses);
    tokens.forEach((token, index) => {
      kinds[index % kinds.length](token, index);
    });
    return { kinds: Object.keys(abuses) };
  },
  figures: () => ({ ...counts, cpu: process.cpuUsage(), open: open.size }),
  end: () => {
    isOver = true;
    for (const timer of timers) clearInterval(timer);
    for (const socket of open) socket.terminate();
    setImmediate(() => process.disconnect());
    return {};
  },
};
process.on('message', async ({ id, ask, ...rest }) => process.send({ id, answer: await answers[ask](rest) }));
process.on('disconnect', () => process.exit(0));
process.send({ id: 0, answer: {} });
