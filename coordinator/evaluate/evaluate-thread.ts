/** What the evaluating thread runs: its part of the data, then it ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { TombolaError } from '../../src/core/errors.ts';
import type { PassReply } from './pass-thread.ts';
import { type PassSubject, runPasses } from './run-passes.ts';

parentPort?.postMessage(await reply(workerData as PassSubject));

/** An error loses its class on the way to another thread, so what is meant for the user travels as text. */
async function reply(subject: PassSubject): Promise<PassReply> {
  try {
    return { kind: 'outputs', outputs: await runPasses(subject) };
  } catch (error) {
    if (!(error instanceof TombolaError)) throw error;
    return { kind: 'refusal', error: error.kind, message: error.message };
  }
}
