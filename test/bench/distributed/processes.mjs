/** Processes of a benchmark: started with a channel to ask questions over, and ended with it; and what is asked of coordinators. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { planOptionsToJson } from '../../../dist/coordinator/jobs/job-request.js';
import { encodeNetwork } from '../../../dist/src/core/format/network-file.js';

const running = new Set();

/**
 * Starts a program of this folder and resolves when it says hello.
 * @returns `hello` what it said; `ask(question, parameters)` resolves with an answer; `end()` ends it.
 */
export async function startProcess(file, argument, { execArgv = [], quiet = true } = {}) {
  const path = fileURLToPath(new URL(file, import.meta.url));
  const child = fork(path, [JSON.stringify(argument)], {
    execArgv,
    stdio: ['ignore', quiet ? 'ignore' : 'inherit', 'inherit', 'ipc'],
  });
  running.add(child);
  const waiting = new Map();
  let count = 0;
  const ended = new Promise((resolve) => {
    child.once('exit', (code) => {
      running.delete(child);
      for (const { reject } of waiting.values()) reject(new Error(`${file} ended with ${code}`));
      resolve(code);
    });
  });
  const answerTo = (id) => new Promise((resolve, reject) => waiting.set(id, { resolve, reject }));
  child.on('message', ({ id, answer }) => {
    waiting.get(id)?.resolve(answer);
    waiting.delete(id);
  });
  const hello = await answerTo(0);
  const ask = (question, parameters = {}) => {
    const id = ++count;
    const answer = answerTo(id);
    child.send({ id, ask: question, ...parameters });
    return answer;
  };
  return {
    pid: child.pid,
    hello,
    ask,
    end: async () => {
      const cut = setTimeout(() => child.kill('SIGKILL'), 15_000);
      await ask('end').catch(() => undefined);
      await ended;
      clearTimeout(cut);
    },
  };
}

/** Ends whatever still runs. */
export function killAll() {
  for (const child of running) child.kill('SIGKILL');
}

/** Resolves after so many milliseconds. */
export function pause(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Submits a job to a coordinator that wants no token; returns the job's id. */
export async function submitJob(url, { name, network, options }) {
  const query = new URLSearchParams({ name, options: JSON.stringify(planOptionsToJson(options)) });
  const body = encodeNetwork(network);
  const response = await fetch(`${url}/api/jobs?${query}`, { method: 'POST', body });
  const answer = await response.json();
  if (!response.ok) throw new Error(`the coordinator answers a job with ${JSON.stringify(answer)}`);
  return answer.job;
}
