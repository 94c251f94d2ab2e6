/**
 * Exports a ticket of each construction for every shared target in every format and has strangers judge them: NumPy (blocks, forward
 * pass, masks to the bit), PyTorch and ONNX Runtime (outputs to 1e-4 of the largest, masks to the bit), beside `tombola verify`; then the
 * same with a ticket whose masks were changed, which every one of them must tell. Prints a table with times, bytes and peak memory.
 *
 *     npm run check:exports [-- --only NAME] [-- --json]
 *
 * Targets and images come from ../shared beside the repository. Without python3 with NumPy or torch that part says it is skipped.
 */
import { spawnSync } from 'node:child_process';
import { closeSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { gunzipSync } from 'node:zlib';
import * as ort from 'onnxruntime-web';
import { exportNetwork } from '../../dist/src/core/export/export-layers.js';
import { exportMetadata } from '../../dist/src/core/export/export-metadata.js';
import { exportOnnx } from '../../dist/src/core/export/export-onnx.js';
import { exportSafetensors } from '../../dist/src/core/export/export-safetensors.js';
import { decodeNetwork } from '../../dist/src/core/format/network-file.js';
import { decodeTicket, encodeTicket } from '../../dist/src/core/format/ticket-file.js';
import { materialise } from '../../dist/src/core/ticket/materialise.js';
import { sparseForward } from '../../dist/src/core/ticket/sparse-forward.js';
import { isMain, markdownTable } from './report.mjs';
import { targetSearches } from './targets.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));
const shared = join(root, '..', 'shared');
const imageCount = 8;
const firstImage = 8000;
const tolerance = 1e-4;
/**
 * What float32 may lose in exact mode: there the kept products of a block are some hundred times larger than their sum, so that any
 * float32 pass of such a ticket is off by about 1e-4, with gains folded in or apart. PyTorch is asked in float64 too.
 */
const exactTolerance = 5e-4;
const script = (name) => join(root, 'test', 'numpy', name);
const python = (modules) =>
  ['python3', '/usr/bin/python3'].find((name) => spawnSync(name, ['-c', `import ${modules}`]).status === 0);

if (isMain(import.meta.url)) {
  const { values: options } = parseArgs({ options: { json: { type: 'boolean' }, only: { type: 'string' } } });
  const tools = { numpy: python('numpy'), torch: python('torch') };
  for (const [name, found] of Object.entries(tools))
    if (found === undefined) console.error(`Skipped: no python3 with ${name} here`);
  const searches = targetSearches()
    .filter(({ target }) => target.file.includes(options.only ?? ''))
    .flatMap((search) => ['L+1', '2L'].map((construction) => ({ ...search, construction })));
  if (searches.length === 0) {
    console.error('Cannot check exports: ../shared/targets has no such target');
    process.exit(1);
  }
  const rows = [];
  for (const search of searches) {
    const folder = mkdtempSync(join(tmpdir(), 'tombola-exports-'));
    try {
      rows.push(await check(search, folder, tools));
      console.error(JSON.stringify(rows.at(-1)));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }
  console.log(options.json ? JSON.stringify(rows, null, 2) : table(rows));
  if (rows.some(({ faults }) => faults.length > 0)) process.exit(1);
}

async function check({ target, mode, construction }, folder, tools) {
  const file = join(shared, target.file);
  const at = (name) => join(folder, name);
  const normalised = /\(pixel\/255-([\d.]+)\)\/([\d.]+)/.exec(target.input);
  const scaling = [
    '--scale',
    '255',
    ...(normalised ? ['--mean', normalised[1], '--std', normalised[2]] : []),
  ];
  const accuracy = mode === 'exact' ? ['--exact'] : ['--epsilon', '0.01'];
  tombola(folder, 'search', file, ...scaling, ...accuracy, '--construction', construction, '--out', 'run');
  const ticketPath = at('run/ticket.safetensors');
  const exported = {};
  for (const format of ['target', 'torch', 'onnx', 'npz'])
    exported[format] = exportFile(folder, ticketPath, file, format);
  const subject = {
    ticket: decodeTicket(readFileSync(ticketPath)).ticket,
    network: decodeNetwork(readFileSync(at('target'))),
  };
  const images = readImages(normalised, subject.network.inputShape);
  writeFileSync(at('x.npy'), npy(images));
  const expected = outputs(subject, images);
  const strangers = { folder, tools, subject, images };
  const found = await ask(strangers, {
    ticket: ticketPath,
    torch: at('torch'),
    onnx: at('onnx'),
    npz: at('npz'),
  });
  const changed = await askChanged(strangers, file);
  const differences = {
    onnx: difference(found.onnx, expected),
    torch: found.torch && difference(found.torch.outputs, expected),
    torchDouble: found.torchDouble && difference(found.torchDouble.outputs, expected),
  };
  const allowed = (name) => (mode === 'exact' && name !== 'torchDouble' ? exactTolerance : tolerance);
  const faults = [
    ...Object.entries(differences).flatMap(([name, value]) =>
      value !== undefined && !(value <= allowed(name)) ? [`${name} differs by ${value}`] : [],
    ),
    ...(found.numpy?.startsWith('sound') === false ? [found.numpy.trim() || 'NumPy says nothing'] : []),
    ...(found.torch && found.torch.masks.join() !== npzMasks(at('npz'), tools.numpy).join()
      ? ['torch has other masks']
      : []),
    ...(changed.verify !== 1 ? ['verify takes a changed ticket'] : []),
    ...(changed.exported !== 1 ? ['export takes a changed ticket'] : []),
    ...(changed.numpy?.startsWith('not sound') === false ? ['NumPy takes a changed ticket'] : []),
    ...(!(difference(changed.onnx, expected) > exactTolerance)
      ? ['ONNX Runtime does not tell a changed ticket']
      : []),
    ...(changed.torch && !(difference(changed.torch.outputs, expected) > exactTolerance)
      ? ['PyTorch does not tell a changed ticket']
      : []),
  ];
  return {
    target: basename(target.file),
    mode,
    construction,
    exported,
    differences,
    numpy: found.numpy?.trim(),
    faults,
  };
}

/** What each stranger says; undefined where it is not here. */
async function ask({ folder, tools, images }, files) {
  const { shape, values } = images;
  const jobs = join(folder, 'jobs.json');
  writeFileSync(
    jobs,
    JSON.stringify(
      [false, true].map((double) => ({ file: files.torch, inputs: Array.from(values), shape, double })),
    ),
  );
  const numpyArgs = [
    script('check_ticket.py'),
    files.ticket,
    join(folder, 'target'),
    '--inputs',
    join(folder, 'x.npy'),
  ];
  const against = files.npz === undefined ? [] : ['--against', files.npz];
  const [torch, torchDouble] = tools.torch
    ? JSON.parse(run(tools.torch, [script('run_torch.py'), jobs]))
    : [];
  return {
    numpy: tools.numpy && spawnSync(tools.numpy, [...numpyArgs, ...against], { encoding: 'utf8' }).stdout,
    torch,
    torchDouble,
    onnx: await runOnnx(readFileSync(files.onnx), images),
  };
}

/** A ticket with the mask of its first output inverted and sealed anew. */
async function askChanged(strangers, target) {
  const { folder, subject } = strangers;
  const layers = subject.ticket.layers.map((layer, index, all) =>
    index + 1 < all.length
      ? layer
      : {
          ...layer,
          masks: layer.masks.map((byte, k) =>
            k < layer.masks.length / layer.copyRows.length - 1 ? byte ^ 255 : byte,
          ),
        },
  );
  const ticket = { ...subject.ticket, layers };
  const at = (name) => join(folder, name);
  writeFileSync(at('changed'), encodeTicket(ticket));
  const network = exportNetwork(ticket, subject.network, 'pruned');
  const metadata = exportMetadata(ticket, '', network);
  writeChunks(at('changed.torch'), exportSafetensors(network, 'torch', metadata));
  writeChunks(at('changed.onnx'), exportOnnx(network, { metadata, dataName: '' }).model);
  const found = await ask(strangers, {
    ticket: at('changed'),
    torch: at('changed.torch'),
    onnx: at('changed.onnx'),
  });
  const command = (...args) =>
    spawnSync(process.execPath, [join(root, 'src/cli/tombola.mjs'), ...args], { cwd: folder });
  return {
    ...found,
    verify: command('verify', 'changed', '--target', target).status,
    exported: command('export', 'changed', '--target', target, '--format', 'npz', '--out', 'changed.npz')
      .status,
  };
}

function exportFile(folder, ticket, target, format) {
  const started = performance.now();
  const options = ['--target', target, '--format', format, '--out', format, '--json'];
  const { stdout, peakMegabytes } = tombola(folder, 'export', ticket, ...options);
  const seconds = (performance.now() - started) / 1000;
  const bytes = JSON.parse(stdout).files.reduce((sum, { bytes: size }) => sum + size, 0);
  return { seconds, megabytes: bytes / 1e6, peakMegabytes };
}

/** Runs the command in a process of its own, which says at its end how much memory it had at most. */
function tombola(cwd, ...args) {
  const atExit = `process.on('exit', () => process.stderr.write('\\npeak ' + process.resourceUsage().maxRSS + '\\n'))`;
  const env = { ...process.env, NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent(atExit)}` };
  const found = spawnSync(process.execPath, [join(root, 'src/cli/tombola.mjs'), ...args], {
    cwd,
    env,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (found.status !== 0) throw new Error(`tombola ${args[0]}: ${found.stderr}`);
  const peaks = [...found.stderr.matchAll(/^peak (\d+)$/gm)].map((match) => Number(match[1]));
  return { stdout: found.stdout, peakMegabytes: (Math.max(...peaks) * 1024) / 1e6 };
}

function run(command, args) {
  const { status, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', maxBuffer: 2 ** 28 });
  if (status !== 0) throw new Error(stderr);
  return stdout;
}

async function runOnnx(bytes, { shape, values }) {
  const session = await ort.InferenceSession.create(bytes, { logSeverityLevel: 3 });
  const { logits } = await session.run({ input: new ort.Tensor('float32', values, shape) });
  const outputs = Array.from(logits.data);
  await session.release();
  return outputs;
}

function outputs({ ticket, network }, { shape: [count], values }) {
  const sparse = materialise(ticket, network);
  const length = values.length / count;
  return Array.from({ length: count }, (_, k) => [
    ...sparseForward(sparse, Float64Array.from(values.subarray(k * length, (k + 1) * length))),
  ]).flat();
}

function readImages(normalised, inputShape) {
  const bytes = gunzipSync(readFileSync(join(shared, 'mnist', 't10k-images-idx3-ubyte.gz')));
  const start = 16 + firstImage * 784;
  const [mean, std] = normalised ? [Number(normalised[1]), Number(normalised[2])] : [0, 1];
  const values = Float32Array.from(
    bytes.subarray(start, start + imageCount * 784),
    (byte) => (byte / 255 - mean) / std,
  );
  return { shape: [imageCount, ...inputShape], values };
}

/** Version 1 of src/core/format/npy.ts. */
function npy({ shape, values }) {
  const dict = `{'descr': '<f4', 'fortran_order': False, 'shape': (${shape.join(', ')}), }`;
  const text = `${dict.padEnd(117)}\n`;
  return Buffer.concat([
    Buffer.from([0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59, 1, 0, 118, 0]),
    Buffer.from(text),
    Buffer.from(values.buffer),
  ]);
}

function npzMasks(path, numpy) {
  const program = `import hashlib, json, sys, numpy as np
z = np.load(sys.argv[1])
names = sorted((n for n in z.files if n.endswith("_mask")), key=lambda n: (int(n.split(".")[1]), "bias" in n))
print(json.dumps([hashlib.sha256(z[n].astype(np.uint8).tobytes()).hexdigest() for n in names]))`;
  return numpy === undefined ? [] : JSON.parse(run(numpy, ['-c', program, path]));
}

function difference(found, expected) {
  const scale = expected.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return found.length === expected.length
    ? found.reduce((max, value, k) => Math.max(max, Math.abs(value - expected[k])), 0) / scale
    : Number.POSITIVE_INFINITY;
}

function writeChunks(path, chunks) {
  const file = openSync(path, 'w');
  for (const chunk of chunks) writeFileSync(file, chunk);
  closeSync(file);
}

function table(rows) {
  const cell = (value) => (value === undefined ? 'skipped' : value.toExponential(1));
  const formats = ['torch', 'onnx', 'npz'];
  const size = ({ megabytes, seconds, peakMegabytes }) =>
    `${megabytes.toFixed(0)} MB, ${seconds.toFixed(1)} s, ${peakMegabytes.toFixed(0)} MB`;
  return markdownTable([
    [
      'target',
      'mode',
      'construction',
      'ONNX Runtime',
      'PyTorch',
      'PyTorch, float64',
      'NumPy',
      ...formats.map((name) => `${name}: size, time, memory`),
      'faults',
    ],
    ...rows.map(({ target, mode, construction, exported, differences, numpy, faults }) => [
      target,
      mode,
      construction,
      cell(differences.onnx),
      cell(differences.torch),
      cell(differences.torchDouble),
      numpy ?? 'skipped',
      ...formats.map((name) => size(exported[name])),
      faults.join('; ') || 'none',
    ]),
  ]);
}
