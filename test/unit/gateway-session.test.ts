import { describe, expect, it } from 'vitest';
import { localAccess } from '../../coordinator/gateway/access.ts';
import { GatewaySession } from '../../coordinator/gateway/gateway-session.ts';
import { Offences } from '../../coordinator/gateway/offences.ts';
import { bufferedBytesForGrants, workerFrameBytesMax } from '../../src/core/limits.ts';
import { encodeMessage } from '../../src/core/protocol/codec.ts';
import { kernelDigest } from '../../worker/kernel/kernel.ts';
import { helloOf } from '../support/raw-worker.ts';
import { shellDesk } from '../support/shell-desk.ts';

/** An open session whose socket holds as much as a test says, and how many slots the shell has heard of. */
function openSession() {
  const { shell, nowMs } = shellDesk();
  const slots: number[] = [];
  let waiting = 0;
  const session = new GatewaySession(
    { send: () => undefined, bufferedBytes: () => waiting, close: () => undefined },
    {
      session: 's',
      address: '',
      access: localAccess,
      isPage: false,
      frameBytesMax: workerFrameBytesMax,
    },
    {
      shell: {
        ...shell,
        receive: (name, message) => {
          if (message.kind === 'want') slots.push(message.slots);
          shell.receive(name, message);
        },
      },
      build: kernelDigest,
      checkAccess: () => localAccess,
      gateways: () => [],
      offences: new Offences(),
      log: () => undefined,
      nowMs,
    },
  );
  session.onMessage(encodeMessage(helloOf()));
  return {
    session,
    slots,
    want: (count: number) => session.onMessage(encodeMessage({ kind: 'want', slots: count })),
    fill: () => {
      waiting = bufferedBytesForGrants + 1;
    },
    drain: () => {
      waiting = bufferedBytesForGrants;
    },
  };
}

describe('a session whose socket is full', () => {
  it('is granted nothing, also of what it asked for before, until the socket has drained', () => {
    const { session, slots, want, fill, drain } = openSession();
    want(4);
    fill();
    want(8);
    session.tick();
    expect(slots).toEqual([4, 0]);
    drain();
    session.tick();
    session.tick();
    expect(slots).toEqual([4, 0, 8]);
  });

  it('forgets what it asked for when it asks for something else', () => {
    const { session, slots, want, fill, drain } = openSession();
    fill();
    want(8);
    drain();
    want(0);
    session.tick();
    expect(slots).toEqual([0, 0]);
  });

  it('remembers only the last it asked for', () => {
    const { session, slots, want, fill, drain } = openSession();
    fill();
    want(8);
    want(3);
    drain();
    session.tick();
    expect(slots).toEqual([0, 0, 3]);
  });
});
