/** What the evaluating thread runs: one evaluation, then it ends. */
import { parentPort, workerData } from 'node:worker_threads';
import { TombolaError } from '../../src/core/errors.ts';
import { evaluateInputs } from './evaluate-inputs.ts';
import type { EvaluationReply } from './evaluate-ticket.ts';
import type { EvaluationSubject } from './evaluation.ts';

parentPort?.postMessage(await reply(workerData as EvaluationSubject));

/** An error loses its class on the way to another thread, so what is meant for the user travels as text. */
async function reply(subject: EvaluationSubject): Promise<EvaluationReply> {
  try {
    return { kind: 'evaluation', evaluation: await evaluateInputs(subject) };
  } catch (error) {
    if (!(error instanceof TombolaError)) throw error;
    return { kind: 'refusal', error: error.kind, message: error.message };
  }
}
