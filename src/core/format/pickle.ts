/**
 * Reader of Python pickles, protocols 2 to 5, that executes nothing.
 *
 * A pickle is a program of one-byte opcodes for a stack machine with a memo. Values become plain data; the three places where
 * Python would run code (GLOBAL/STACK_GLOBAL look a name up, REDUCE/NEWOBJ call it, BINPERSID loads a persistent object) are
 * handed to the caller, who answers from an allow-list or refuses. Opcodes (Python's pickletools lists them all) that plain
 * data of PyTorch never need (INST, OBJ, EXT, sets, out-of-band buffers, text numbers of protocol 0) are refused by name.
 * Bounds: pickleBytesMax in all, pickleIntegerBytesMax per whole number. Nothing recurses, so nesting needs no bound.
 */
import { failure } from '../errors.ts';
import { pickleBytesMax, pickleIntegerBytesMax } from '../limits.ts';
import { decodeUtf8 } from './utf8.ts';

/** A name in a Python module. */
export interface PickleGlobal {
  readonly kind: 'global';
  readonly module: string;
  readonly name: string;
}

/** A Python value; `Opaque` is what the caller's answers are made of. */
export type PickleValue<Opaque> =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | PickleGlobal
  | { readonly kind: 'list' | 'tuple'; readonly items: PickleValue<Opaque>[] }
  | { readonly kind: 'dict'; readonly entries: Map<PickleValue<Opaque>, PickleValue<Opaque>> }
  | { readonly kind: 'opaque'; readonly value: Opaque };

/** The caller's answers where Python would run code; each throws what it refuses. */
export interface PickleAnswers<Opaque> {
  /** Called for each name before anything is done with it. */
  readonly allow: (global: PickleGlobal) => void;
  /** Returns what a call of a global gives. */
  readonly call: (callee: PickleGlobal, parameters: readonly PickleValue<Opaque>[]) => PickleValue<Opaque>;
  /** Returns what a persistent id stands for. */
  readonly load: (id: PickleValue<Opaque>) => PickleValue<Opaque>;
}

/**
 * Returns the value of a pickle.
 * @throws TombolaError (failure) when it is damaged, uses a refused opcode, or an answer refuses.
 */
export function readPickle<Opaque>(bytes: Uint8Array, answers: PickleAnswers<Opaque>): PickleValue<Opaque> {
  if (bytes.length > pickleBytesMax)
    throw failure(`Cannot read pickle: ${bytes.length} bytes, expected at most ${pickleBytesMax}`);
  const machine: Machine<Opaque> = {
    bytes,
    view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength),
    answers,
    position: 0,
    stack: [],
    marks: [],
    memo: new Map(),
  };
  for (;;) {
    const opcode = readUnsigned(machine, 1);
    if (opcode === 0x2e) return pop(machine);
    const isDone = runScalar(machine, opcode) || runContainer(machine, opcode) || runMachine(machine, opcode);
    if (!isDone)
      throw failure(
        `Cannot read pickle: opcode 0x${opcode.toString(16).padStart(2, '0')} at byte ${machine.position - 1}, expected plain data`,
      );
  }
}

interface Machine<Opaque> {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  readonly answers: PickleAnswers<Opaque>;
  readonly stack: PickleValue<Opaque>[];
  /** Stack heights at open MARKs. */
  readonly marks: number[];
  readonly memo: Map<number, PickleValue<Opaque>>;
  position: number;
}

/** Numbers, texts, bytes and constants. Returns false for other opcodes. */
function runScalar<Opaque>(machine: Machine<Opaque>, opcode: number): boolean {
  const value = readScalar(machine, opcode);
  if (value !== undefined) machine.stack.push(value);
  return value !== undefined;
}

function readScalar<Opaque>(machine: Machine<Opaque>, opcode: number): PickleValue<Opaque> | undefined {
  switch (opcode) {
    case 0x4e: // NONE
      return null;
    case 0x88: // NEWTRUE
      return true;
    case 0x89: // NEWFALSE
      return false;
    case 0x4a: // BININT
      return readUnsigned(machine, 4) | 0;
    case 0x4b: // BININT1
      return readUnsigned(machine, 1);
    case 0x4d: // BININT2
      return readUnsigned(machine, 2);
    case 0x8a: // LONG1
      return readLong(machine, readUnsigned(machine, 1));
    case 0x8b: // LONG4
      return readLong(machine, readUnsigned(machine, 4));
    case 0x47: // BINFLOAT
      return machine.view.getFloat64(advance(machine, 8));
    case 0x8c: // SHORT_BINUNICODE
      return readText(machine, readUnsigned(machine, 1));
    case 0x58: // BINUNICODE
      return readText(machine, readUnsigned(machine, 4));
    case 0x8d: // BINUNICODE8
      return readText(machine, readUnsigned(machine, 8));
    case 0x55: // SHORT_BINSTRING
      return readText(machine, readUnsigned(machine, 1));
    case 0x54: // BINSTRING
      return readText(machine, readUnsigned(machine, 4));
    case 0x43: // SHORT_BINBYTES
      return readBytes(machine, readUnsigned(machine, 1));
    case 0x42: // BINBYTES
      return readBytes(machine, readUnsigned(machine, 4));
    case 0x8e: // BINBYTES8
      return readBytes(machine, readUnsigned(machine, 8));
    default:
      return undefined;
  }
}

/** Lists, tuples and dicts. Returns false for other opcodes. */
function runContainer<Opaque>(machine: Machine<Opaque>, opcode: number): boolean {
  const { stack } = machine;
  switch (opcode) {
    case 0x5d: // EMPTY_LIST
      stack.push({ kind: 'list', items: [] });
      return true;
    case 0x29: // EMPTY_TUPLE
      stack.push({ kind: 'tuple', items: [] });
      return true;
    case 0x7d: // EMPTY_DICT
      stack.push({ kind: 'dict', entries: new Map() });
      return true;
    case 0x6c: // LIST
      stack.push({ kind: 'list', items: popMarked(machine) });
      return true;
    case 0x74: // TUPLE
      stack.push({ kind: 'tuple', items: popMarked(machine) });
      return true;
    case 0x64: // DICT
      stack.push({ kind: 'dict', entries: setEntries(new Map(), popMarked(machine)) });
      return true;
    case 0x85: // TUPLE1
    case 0x86: // TUPLE2
    case 0x87: // TUPLE3
      stack.push({ kind: 'tuple', items: popMany(machine, opcode - 0x84) });
      return true;
    case 0x61: // APPEND
      extend(machine, popMany(machine, 1));
      return true;
    case 0x65: // APPENDS
      extend(machine, popMarked(machine));
      return true;
    case 0x73: // SETITEM
      setItems(machine, popMany(machine, 2));
      return true;
    case 0x75: // SETITEMS
      setItems(machine, popMarked(machine));
      return true;
    default:
      return false;
  }
}

/** Protocol, stack, memo and what the caller answers. Returns false for other opcodes. */
function runMachine<Opaque>(machine: Machine<Opaque>, opcode: number): boolean {
  const { stack, memo } = machine;
  switch (opcode) {
    case 0x80: // PROTO
      checkProtocol(readUnsigned(machine, 1));
      return true;
    case 0x95: // FRAME: a hint for readers of streams
      readUnsigned(machine, 8);
      return true;
    case 0x28: // MARK
      machine.marks.push(stack.length);
      return true;
    case 0x30: // POP
      pop(machine);
      return true;
    case 0x31: // POP_MARK
      popMarked(machine);
      return true;
    case 0x32: // DUP
      stack.push(top(machine));
      return true;
    case 0x71: // BINPUT
      memo.set(readUnsigned(machine, 1), top(machine));
      return true;
    case 0x72: // LONG_BINPUT
      memo.set(readUnsigned(machine, 4), top(machine));
      return true;
    case 0x94: // MEMOIZE
      memo.set(memo.size, top(machine));
      return true;
    case 0x68: // BINGET
      stack.push(recall(machine, readUnsigned(machine, 1)));
      return true;
    case 0x6a: // LONG_BINGET
      stack.push(recall(machine, readUnsigned(machine, 4)));
      return true;
    default:
      return runAnswered(machine, opcode);
  }
}

/** The opcodes for which Python would run code. */
function runAnswered<Opaque>(machine: Machine<Opaque>, opcode: number): boolean {
  const { stack, answers } = machine;
  switch (opcode) {
    case 0x63: // GLOBAL
      pushGlobal(machine, { module: readLine(machine), name: readLine(machine) });
      return true;
    case 0x93: {
      // STACK_GLOBAL
      const [module, name] = popMany(machine, 2);
      pushGlobal(machine, { module, name });
      return true;
    }
    case 0x52: // REDUCE
    case 0x81: {
      // NEWOBJ
      const [callee, parameters] = popMany(machine, 2);
      if (!isGlobal(callee) || !isSequence(parameters)) throw damaged(machine, 'a call of what is no name');
      stack.push(answers.call(callee, parameters.items));
      return true;
    }
    case 0x51: // BINPERSID
      stack.push(answers.load(pop(machine)));
      return true;
    case 0x62: {
      // BUILD sets attributes; on a dict (an OrderedDict's _metadata) they do not matter here.
      pop(machine);
      if (!isDict(top(machine)))
        throw failure('Cannot read pickle: it sets attributes of an object, expected plain data');
      return true;
    }
    default:
      return false;
  }
}

function checkProtocol(protocol: number): void {
  if (protocol < 2 || protocol > 5)
    throw failure(
      `Cannot read pickle: protocol ${protocol}, expected 2 to 5; save the file with a newer PyTorch`,
    );
}

function pushGlobal<Opaque>(
  machine: Machine<Opaque>,
  { module, name }: { readonly module: unknown; readonly name: unknown },
): void {
  if (typeof module !== 'string' || typeof name !== 'string')
    throw damaged(machine, 'a name that is no text');
  const global: PickleGlobal = { kind: 'global', module, name };
  machine.answers.allow(global);
  machine.stack.push(global);
}

/** Tells whether a value is a list or a tuple. */
export function isSequence<Opaque>(
  value: PickleValue<Opaque> | undefined,
): value is { readonly kind: 'list' | 'tuple'; readonly items: PickleValue<Opaque>[] } {
  return hasKind(value) && (value.kind === 'list' || value.kind === 'tuple');
}

/** Tells whether a value is a dict. */
export function isDict<Opaque>(
  value: PickleValue<Opaque> | undefined,
): value is { readonly kind: 'dict'; readonly entries: Map<PickleValue<Opaque>, PickleValue<Opaque>> } {
  return hasKind(value) && value.kind === 'dict';
}

/** Tells whether a value is a name. */
export function isGlobal<Opaque>(value: PickleValue<Opaque> | undefined): value is PickleGlobal {
  return hasKind(value) && value.kind === 'global';
}

function hasKind<Opaque>(
  value: PickleValue<Opaque> | undefined,
): value is Extract<PickleValue<Opaque>, { readonly kind: string }> {
  return typeof value === 'object' && value !== null && !(value instanceof Uint8Array);
}

function extend<Opaque>(machine: Machine<Opaque>, items: readonly PickleValue<Opaque>[]): void {
  const list = top(machine);
  if (!isSequence(list) || list.kind !== 'list') throw damaged(machine, 'an item for what is no list');
  for (const item of items) list.items.push(item);
}

function setItems<Opaque>(machine: Machine<Opaque>, items: readonly PickleValue<Opaque>[]): void {
  const dict = top(machine);
  if (!isDict(dict)) throw damaged(machine, 'an entry for what is no dict');
  setEntries(dict.entries, items);
}

function setEntries<Opaque>(
  entries: Map<PickleValue<Opaque>, PickleValue<Opaque>>,
  items: readonly PickleValue<Opaque>[],
): Map<PickleValue<Opaque>, PickleValue<Opaque>> {
  if (items.length % 2 !== 0)
    throw failure('Cannot read pickle: a dict has a key without a value, so it is damaged');
  for (let i = 0; i < items.length; i += 2) entries.set(items[i] ?? null, items[i + 1] ?? null);
  return entries;
}

function top<Opaque>(machine: Machine<Opaque>): PickleValue<Opaque> {
  const value = machine.stack.at(-1);
  if (value === undefined || machine.stack.length <= (machine.marks.at(-1) ?? 0))
    throw damaged(machine, 'an empty stack');
  return value;
}

function pop<Opaque>(machine: Machine<Opaque>): PickleValue<Opaque> {
  const value = top(machine);
  machine.stack.pop();
  return value;
}

function popMany<Opaque>(machine: Machine<Opaque>, count: number): PickleValue<Opaque>[] {
  if (machine.stack.length - count < (machine.marks.at(-1) ?? 0)) throw damaged(machine, 'an empty stack');
  return machine.stack.splice(machine.stack.length - count);
}

function popMarked<Opaque>(machine: Machine<Opaque>): PickleValue<Opaque>[] {
  const mark = machine.marks.pop();
  if (mark === undefined) throw damaged(machine, 'no mark');
  return machine.stack.splice(mark);
}

function recall<Opaque>(machine: Machine<Opaque>, key: number): PickleValue<Opaque> {
  const value = machine.memo.get(key);
  if (value === undefined) throw damaged(machine, `no memo ${key}`);
  return value;
}

/** Moves on and returns where the bytes passed over begin. */
function advance<Opaque>(machine: Machine<Opaque>, count: number): number {
  const start = machine.position;
  if (count > machine.bytes.length - start) throw damaged(machine, 'its end');
  machine.position = start + count;
  return start;
}

function readUnsigned<Opaque>(machine: Machine<Opaque>, size: 1 | 2 | 4 | 8): number {
  const start = advance(machine, size);
  let value = 0;
  for (let i = size - 1; i >= 0; i--) value = value * 256 + (machine.bytes[start + i] ?? 0);
  return value;
}

/** Two's complement, little endian; a number while that is exact, else a bigint. */
function readLong<Opaque>(machine: Machine<Opaque>, size: number): number | bigint {
  if (size > pickleIntegerBytesMax) throw damaged(machine, `a whole number of ${size} bytes`);
  let value = 0n;
  for (const byte of readBytes(machine, size).reverse()) value = value * 256n + BigInt(byte);
  const signed = BigInt.asIntN(8 * size, value);
  const number = Number(signed);
  return Number.isSafeInteger(number) ? number : signed;
}

function readBytes<Opaque>(machine: Machine<Opaque>, size: number): Uint8Array {
  const start = advance(machine, size);
  return machine.bytes.slice(start, start + size);
}

function readText<Opaque>(machine: Machine<Opaque>, size: number): string {
  const text = decodeUtf8(readBytes(machine, size));
  if (text === undefined) throw damaged(machine, 'a text that is no UTF-8');
  return text;
}

function readLine<Opaque>(machine: Machine<Opaque>): string {
  const end = machine.bytes.indexOf(0x0a, machine.position);
  if (end < 0) throw damaged(machine, 'a line without end');
  const text = readText(machine, end - machine.position);
  machine.position = end + 1;
  return text;
}

function damaged<Opaque>(machine: Machine<Opaque>, found: string): Error {
  return failure(
    `Cannot read pickle: ${found} at byte ${machine.position}, so it is damaged; save the file again`,
  );
}
