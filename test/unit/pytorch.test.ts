import { describe, expect, it } from 'vitest';
import { readPytorch } from '../../src/core/format/pytorch.ts';
import { importStateDict } from '../../src/core/format/state-dict.ts';
import { float32Tensor, type Tensor, toFloat64Array } from '../../src/core/format/tensor.ts';
import { latin, op, stateDictFile, torchFile, torchTensor } from '../support/pickle-writer.ts';
import { writeZip } from '../support/zip-writer.ts';

const six = new Uint8Array(Float32Array.of(1, 2, 3, 4, 5, 6).buffer);
const matrix = { storageCount: 6, shape: [2, 3], strides: [3, 1] };

/** A file whose state dict has this one value under `x`. */
function fileOf(value: Buffer, storages: Readonly<Record<string, Uint8Array>> = { 0: six }): Uint8Array {
  return torchFile(op.program(op.dict([['x', value]])), storages);
}

function valuesOf(bytes: Uint8Array, name = 'x'): readonly number[] {
  const tensor = readPytorch(bytes).get(name);
  return tensor === undefined ? [] : [...toFloat64Array(tensor)];
}

describe('readPytorch', () => {
  it('reads tensors in the order of the dict, also parameters', () => {
    const tensors = [
      ['1', torchTensor(matrix)],
      ['0', torchTensor({ ...matrix, isParameter: true })],
    ] as const;
    const found = readPytorch(torchFile(op.program(op.dict(tensors)), { 0: six }));
    expect([...found.keys()]).toEqual(['1', '0']);
    expect(found.get('0')).toEqual({ dtype: 'F32', shape: [2, 3], data: six });
  });

  it('honours strides, offsets and shared storages', () => {
    const views = [
      ['transposed', torchTensor({ ...matrix, shape: [3, 2], strides: [1, 3] })],
      ['column', torchTensor({ ...matrix, shape: [2], strides: [3], offset: 1 })],
      ['tail', torchTensor({ ...matrix, shape: [2, 1], strides: [1, 7], offset: 4 })],
      ['empty', torchTensor({ ...matrix, shape: [0, 5], strides: [5, 1] })],
      ['scalar', torchTensor({ ...matrix, shape: [], strides: [], offset: 5 })],
    ] as const;
    const file = torchFile(op.program(op.dict(views)), { 0: six });
    expect(valuesOf(file, 'transposed')).toEqual([1, 4, 2, 5, 3, 6]);
    expect(valuesOf(file, 'column')).toEqual([2, 5]);
    expect(valuesOf(file, 'tail')).toEqual([5, 6]);
    expect(valuesOf(file, 'empty')).toEqual([]);
    expect(valuesOf(file, 'scalar')).toEqual([6]);
  });

  it.each([
    ['DoubleStorage', new Uint8Array(Float64Array.of(0.1, -2).buffer), [0.1, -2]],
    ['HalfStorage', Uint8Array.of(0, 0x3c, 0, 0xc0), [1, -2]],
    ['BFloat16Storage', Uint8Array.of(0x80, 0x3f, 0, 0xc0), [1, -2]],
    ['LongStorage', new Uint8Array(BigInt64Array.of(5n, -6n).buffer), [5, -6]],
    ['IntStorage', new Uint8Array(Int32Array.of(5, -6).buffer), [5, -6]],
    ['ShortStorage', new Uint8Array(Int16Array.of(5, -6).buffer), [5, -6]],
    ['CharStorage', Uint8Array.of(5, 250), [5, -6]],
    ['ByteStorage', Uint8Array.of(5, 250), [5, 250]],
    ['BoolStorage', Uint8Array.of(0, 1), [0, 1]],
  ])('reads %s', (storageType, data, expected) => {
    expect(
      valuesOf(fileOf(torchTensor({ storageType, storageCount: 2, shape: [2], strides: [1] }), { 0: data })),
    ).toEqual(expected);
  });

  it('reads storages of big-endian machines', () => {
    const pickle = op.program(
      op.dict([['x', torchTensor({ ...matrix, storageCount: 1, shape: [1], strides: [1] })]]),
    );
    const big = { 0: Uint8Array.of(0x3f, 0x80, 0, 0) };
    expect(valuesOf(torchFile(pickle, big, { byteorder: 'big' }))).toEqual([1]);
    expect(valuesOf(torchFile(pickle, { 0: big[0].slice().reverse() }, { byteorder: 'little' }))).toEqual([
      1,
    ]);
    expect(() => readPytorch(torchFile(pickle, big, { byteorder: 'middle' }))).toThrow(/byteorder "middle"/);
  });

  it('finds the state dict in a checkpoint and leaves out what is no tensor', () => {
    const inner = op.dict([['w', torchTensor(matrix)]]);
    const checkpoint = op.dict([
      ['epoch', op.int(3)],
      ['state_dict', inner],
    ]);
    expect([...readPytorch(torchFile(op.program(checkpoint), { 0: six })).keys()]).toEqual(['w']);
  });

  it('reads protocol 4: frames, short texts, memoize and names from the stack', () => {
    const short = (text: string): Buffer => latin(`\x8c${String.fromCharCode(text.length)}${text}\x94`);
    const named = (module: string, name: string): Buffer =>
      Buffer.concat([short(module), short(name), latin('\x93\x94')]);
    const id = Buffer.concat([
      latin('('),
      short('storage'),
      named('torch', 'FloatStorage'),
      short('0'),
      short('cpu'),
      latin('K\x06t\x94Q'),
    ]);
    const body = Buffer.concat([
      named('collections', 'OrderedDict'),
      latin(')R\x94('),
      short('x'),
      named('torch._utils', '_rebuild_tensor_v2'),
      latin('('),
      id,
      latin('K\x01M\x02\x00\x85K\x02\x85\x89}tR\x94u.'),
    ]);
    const frame = Buffer.alloc(9);
    frame.write('\x95', 'latin1');
    frame.writeBigUInt64LE(BigInt(body.length), 1);
    expect(valuesOf(torchFile(Buffer.concat([latin('\x80\x04'), frame, body]), { 0: six }))).toEqual([2, 4]);
  });

  const call = (module: string, name: string): Uint8Array =>
    fileOf(op.call(op.global(module, name), op.text('id')));
  it.each([
    ['os.system', call('os', 'system'), /Python name os\.system.*model\.state_dict\(\)/],
    ['builtins.eval', call('builtins', 'eval'), /builtins\.eval/],
    ['posix.system under another name', call('posix\u0020', 'system'), /posix/],
    [
      'a whole module',
      call('torch.nn.modules.linear', 'Linear'),
      /torch\.nn\.modules\.linear\.Linear.*state_dict/,
    ],
    ['a NumPy array', call('numpy.core.multiarray', '_reconstruct'), /numpy/],
    ['a sparse tensor', call('torch._utils', '_rebuild_sparse_tensor'), /dense tensors/],
    ['a quantized storage', call('torch', 'QInt8Storage'), /dense tensors/],
    ['torch.load itself', call('torch', 'load'), /torch\.load/],
    ['a name with a dot', call('collections', 'OrderedDict.fromkeys'), /OrderedDict\.fromkeys/],
    ['a storage that is called', call('torch', 'FloatStorage'), /call of FloatStorage/],
    [
      'a parameter of no tensor',
      fileOf(op.call(op.global('torch._utils', '_rebuild_parameter'), op.int(1))),
      /_rebuild_parameter/,
    ],
    [
      'a filled OrderedDict',
      fileOf(op.call(op.global('collections', 'OrderedDict'), op.int(1))),
      /OrderedDict/,
    ],
    ['a name of the table of every object', call('collections', 'constructor'), /constructor/],
    [
      'the legacy format',
      new Uint8Array(latin('\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.')),
      /before 1\.6/,
    ],
    ['a file of another format', new Uint8Array(latin('hello')), /does not begin like a zip/],
    ['an archive without a pickle', writeZip([['model/version', latin('3')]]), /no data\.pkl/],
    ['TorchScript', torchFile(op.program(op.dict([])), {}, { 'constants.pkl': '' }), /TorchScript/],
    ['a list', torchFile(op.program(latin(']')), {}), /no dict of tensors/],
    ['a dict without tensors', torchFile(op.program(op.dict([['x', op.int(1)]])), {}), /holds no tensors/],
    ['a missing storage', fileOf(torchTensor({ ...matrix, storage: '7' })), /no model\/data\/7/],
    [
      'a storage of another size',
      fileOf(torchTensor({ ...matrix, storageCount: 7 })),
      /24 bytes, expected 7 elements/,
    ],
    [
      'a tensor beyond its storage',
      fileOf(torchTensor({ ...matrix, offset: 1 })),
      /does not fit its storage/,
    ],
    [
      'strides beyond its storage',
      fileOf(torchTensor({ ...matrix, strides: [4, 1] })),
      /does not fit its storage/,
    ],
    [
      'an expanded tensor',
      fileOf(torchTensor({ ...matrix, shape: [7], strides: [0] })),
      /does not fit its storage/,
    ],
    [
      'an enormous tensor',
      fileOf(torchTensor({ ...matrix, shape: [2 ** 31 - 1, 2 ** 31 - 1], strides: [0, 0] })),
      /2\^53/,
    ],
    [
      'a negative stride',
      fileOf(torchTensor({ ...matrix, shape: [2], strides: [-1], offset: 5 })),
      /a tensor without/,
    ],
    ['a stride too few', fileOf(torchTensor({ ...matrix, strides: [1] })), /a tensor without/],
    [
      'a storage of two types',
      torchFile(
        op.program(
          op.dict([
            ['x', torchTensor(matrix)],
            ['y', torchTensor({ ...matrix, storageType: 'IntStorage' })],
          ]),
        ),
        { 0: six },
      ),
      /two element types/,
    ],
  ])('refuses %s', (_, bytes, message) => {
    expect(() => readPytorch(bytes)).toThrow(message);
  });

  it.each([
    ['an unknown opcode', latin('\x80\x02\xff'), /opcode 0xff at byte 2/],
    ['a text number of protocol 0', latin('\x80\x02I1\n.'), /opcode 0x49/],
    ['INST, which calls', latin('\x80\x02(ios\nsystem\n.'), /opcode 0x69/],
    ['protocol 9', latin('\x80\x09N.'), /protocol 9/],
    ['no STOP', latin('\x80\x02N'), /its end at byte 3/],
    ['an empty stack', latin('\x80\x02.'), /empty stack/],
    ['TUPLE without MARK', latin('\x80\x02Nt.'), /no mark/],
    ['a value below the mark', latin('\x80\x02N(0.'), /empty stack/],
    ['an unknown memo', latin('\x80\x02h\x05.'), /no memo 5/],
    ['a text cut off', latin('\x80\x02X\xff\xff\xff\x7fab'), /its end/],
    ['a text that is no UTF-8', latin('\x80\x02X\x01\x00\x00\x00\xff.'), /no UTF-8/],
    ['an enormous number', latin(`\x80\x02\x8a\x11${'\x01'.repeat(17)}.`), /whole number of 17 bytes/],
    ['a key without a value', latin('\x80\x02}(Nu.'), /key without a value/],
    ['an entry for a list', latin('\x80\x02]NNs.'), /no dict/],
    ['an item for a dict', latin('\x80\x02}Na.'), /no list/],
    ['a call of a number', latin('\x80\x02K\x01)R.'), /call of what is no name/],
    ['attributes of an object', latin('\x80\x02)}b.'), /attributes/],
    ['a name that is a number', latin('\x80\x04K\x01K\x01\x93.'), /no text/],
    ['a name without end', latin('\x80\x02cos'), /line without end/],
  ])('refuses a pickle with %s', (_, pickle, message) => {
    expect(() => readPytorch(torchFile(pickle, {}))).toThrow(message);
  });
});

describe('importStateDict', () => {
  const relu = { activation: { kind: 'relu' } } as const;
  const read = (...tensors: Parameters<typeof stateDictFile>[0]): ReadonlyMap<string, Tensor> =>
    readPytorch(stateDictFile(tensors));

  it('chains linear layers in file order, with the activation between them', () => {
    const network = importStateDict(
      read(['10.weight', [2, 1], [1, 2]], ['10.bias', [2], [3, 4]], ['9.weight', [1, 2], [5, 6]]),
      relu,
    );
    expect(network).toEqual({
      inputShape: [1],
      inputSteps: [],
      layers: [
        {
          name: '10',
          linear: {
            kind: 'dense',
            outputs: 2,
            inputs: 1,
            weights: Float64Array.of(1, 2),
            bias: Float64Array.of(3, 4),
          },
          steps: [{ kind: 'activation', activation: { kind: 'relu' } }],
        },
        {
          name: '9',
          linear: {
            kind: 'dense',
            outputs: 1,
            inputs: 2,
            weights: Float64Array.of(5, 6),
            bias: Float64Array.of(0),
          },
          steps: [],
        },
      ],
    });
  });

  it('multiplies pruned weights and biases with their masks', () => {
    const [layer] = importStateDict(
      read(
        ['bias_orig', [2], [1, 2]],
        ['bias_mask', [2], [0, 1]],
        ['weight_orig', [2, 2], [1, 2, 3, 4]],
        ['weight_mask', [2, 2], [1, 0, 0, 1]],
      ),
    ).layers;
    expect([...(layer?.linear.weights ?? [])]).toEqual([1, 0, 0, 4]);
    expect([...(layer?.linear.bias ?? [])]).toEqual([0, 2]);
  });

  it('needs the activation only for more than one layer, and says which option gives it', () => {
    expect(importStateDict(read(['fc.weight', [1, 1], [1]])).layers).toHaveLength(1);
    const two = read(['a.weight', [1, 1], [1]], ['b.weight', [1, 1], [1]]);
    expect(() => importStateDict(two)).toThrow(/--activation relu/);
    expect(importStateDict(two, { activation: { kind: 'identity' } }).layers[0]?.steps).toEqual([]);
  });

  const linear = ['a.weight', [1, 2], [1, 1]] as const;
  it.each([
    ['a convolution', read(['c.weight', [1, 1, 1, 1], [1]]), /c\.weight.*export the model to ONNX/],
    ['normalisation', read(linear, ['n.weight', [1], [1]]), /n\.weight.*ONNX/],
    ['running statistics', read(linear, ['n.running_mean', [1], [1]]), /running_mean.*ONNX/],
    ['a bias without weights', read(['a.bias', [1], [1]]), /bias but no weights/],
    [
      'a bias of another length',
      read(linear, ['a.bias', [2], [1, 1]]),
      /bias of shape \[2\], expected \[1\]/,
    ],
    [
      'layers that do not chain',
      read(linear, ['b.weight', [1, 2], [1, 1]]),
      /reads 2 features, but a before it gives 1/,
    ],
    ['a mask without weights', read(['a.weight_mask', [1, 1], [1]]), /only one is in the file/],
    ['weights without their mask', read(['a.weight_orig', [1, 1], [1]]), /only one is in the file/],
    [
      'a mask of another shape',
      read(['a.weight_orig', [1, 2], [1, 1]], ['a.weight_mask', [2, 1], [1, 1]]),
      /mask has shape/,
    ],
    ['no weights', new Map<string, Tensor>(), /holds no weights/],
    ['an empty layer', new Map([['a.weight', float32Tensor([0, 2], new Float32Array(0))]]), /has no weights/],
  ])('refuses %s', (_, tensors, message) => {
    expect(() => importStateDict(tensors, relu)).toThrow(message);
  });
});
