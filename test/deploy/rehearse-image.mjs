/**
 * Rehearses deploy/Dockerfile where there is no Docker: each stage becomes an empty folder, COPY and RUN are done in it as they are
 * written, and the commands of the image are run in the last one. `npm run rehearse:image`. What it cannot show: the base image
 * itself, users and file modes.
 */
import { execFileSync, spawn } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../..', import.meta.url));
const scratch = mkdtempSync(join(tmpdir(), 'tombola-image-'));
/** Root folders of stages, by name and in order. */
const stages = new Map();

/** Files under version control that deploy/Dockerfile.dockerignore lets through: lines that begin with `!`. */
function contextFiles() {
  const allowed = readFileSync(join(repository, 'deploy/Dockerfile.dockerignore'), 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('!'))
    .map((line) => line.slice(1).trim());
  return execFileSync('git', ['ls-files'], { cwd: repository, encoding: 'utf8' })
    .split('\n')
    .filter((file) => allowed.some((path) => file === path || file.startsWith(`${path}/`)));
}

/** Copies what COPY names from the build context or another stage into a stage. */
function copy(stage, words) {
  const from = words[0].startsWith('--from=') ? stages.get(words.shift().slice('--from='.length)) : undefined;
  const target = words.pop();
  const isFolder = target.endsWith('/') || words.length > 1;
  for (const word of words) {
    if (from === undefined) {
      const files = contextFiles().filter(
        (file) => word === '.' || file === word || file.startsWith(`${word}/`),
      );
      if (files.length === 0)
        throw new Error(`Cannot COPY ${word}: nothing of that name is in the build context`);
      for (const file of files) cpSync(join(repository, file), join(stage.folder, target, file));
      continue;
    }
    const name = word.slice(word.lastIndexOf('/') + 1);
    const place = join(stage.folder, isFolder ? join(target, name) : target);
    mkdirSync(dirname(place), { recursive: true });
    cpSync(join(from.root, word), place, { recursive: true, verbatimSymlinks: true });
  }
}

/** Does one line of the Dockerfile. */
function step(stage, instruction, rest) {
  if (instruction === 'WORKDIR') {
    stage.folder = join(stage.root, rest);
    mkdirSync(stage.folder, { recursive: true });
  } else if (instruction === 'COPY') {
    copy(stage, rest.split(/\s+/));
  } else if (instruction === 'ENV') {
    const [name, value] = rest.split('=');
    stage.environment[name] = value;
  } else if (instruction === 'RUN' && /\s\/\w/.test(rest)) {
    console.log(`not rehearsed, since it would change this machine: RUN ${rest}`);
  } else if (instruction === 'RUN') {
    console.log(`RUN ${rest}`);
    execFileSync('sh', ['-c', rest], {
      cwd: stage.folder,
      env: stage.environment,
      stdio: ['ignore', 'ignore', 'inherit'],
    });
  }
}

function build() {
  let stage;
  for (const line of readFileSync(join(repository, 'deploy/Dockerfile'), 'utf8').split('\n')) {
    const [, instruction, rest] = /^([A-Z]+) (.*)$/.exec(line) ?? [];
    if (instruction === 'FROM') {
      const name = / AS (\w+)$/.exec(rest)?.[1] ?? 'image';
      stage = {
        root: join(scratch, name),
        folder: join(scratch, name),
        environment: { PATH: process.env.PATH, HOME: scratch },
      };
      mkdirSync(stage.root);
      stages.set(name, stage);
    } else if (instruction !== undefined) step(stage, instruction, rest);
  }
  return stage;
}

/** Runs the entry point of the image with some arguments; resolves with what `until` makes of its output so far. */
function start(image, words) {
  return spawn('node', ['src/cli/tombola.mjs', ...words], {
    cwd: image.folder,
    env: image.environment,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

try {
  const image = build();
  execFileSync('node', ['src/cli/tombola.mjs', 'example', '--out', join(scratch, 'run')], {
    cwd: image.folder,
    env: image.environment,
  });
  console.log('the example runs in the image');
  const gateway = start(image, ['serve', '--data', join(scratch, 'data'), '--port', '0', '--json']);
  let output = '';
  const url = await new Promise((resolve, reject) => {
    const see = (chunk) => {
      output += chunk;
      const found = /http:\/\/127\.0\.0\.1:\d+/.exec(output);
      if (found) resolve(found[0]);
    };
    gateway.stdout.on('data', see);
    gateway.stderr.on('data', see);
    gateway.once('exit', (code) => reject(new Error(`the gateway ended with ${code}: ${output}`)));
  });
  const health = (address) =>
    execFileSync('node', ['deploy/healthcheck.mjs'], {
      cwd: image.folder,
      env: { ...image.environment, TOMBOLA_HEALTH_URL: `${address}/healthz` },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
  health(url);
  console.log('a gateway runs in the image, and its health check says so');
  gateway.kill('SIGTERM');
  const code = await new Promise((resolve) => {
    gateway.removeAllListeners('exit');
    gateway.once('exit', resolve);
  });
  console.log(`SIGTERM ends it with ${code}`);
  let isNoticed = false;
  try {
    health(url);
  } catch {
    isNoticed = true;
  }
  if (code !== 0 || !isNoticed)
    throw new Error('the gateway did not end well, or the health check did not notice');
  console.log('the health check notices that it has ended');
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
