/**
 * JSON (RFC 8259) for files whose keys matter: `JSON.parse` keeps the last of two equal keys and moves keys like "0" to the
 * front; here objects are maps in the order of the file, and a key that comes twice is refused.
 */
import { failure } from '../errors.ts';
import { parseDepthMax } from '../limits.ts';

/** A JSON value; an object is a map in file order. */
export type JsonValue =
  | null
  | boolean
  | number
  | string
  | readonly JsonValue[]
  | ReadonlyMap<string, JsonValue>;

/**
 * Returns the value of a JSON text.
 * @throws TombolaError (failure) when it is no JSON, nests deeper than parseDepthMax, or an object has a key twice.
 */
export function parseJson(text: string, what: string): JsonValue {
  const cursor: Cursor = { text, what, position: 0 };
  const value = parseValue(cursor, 0);
  skipSpace(cursor);
  if (cursor.position !== text.length) throw broken(cursor, 'the end');
  return value;
}

/** Returns JSON text with the keys of every object sorted and no spaces: equal values give equal texts. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, part: unknown) =>
    typeof part === 'object' && part !== null && !Array.isArray(part)
      ? Object.fromEntries(Object.entries(part).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)))
      : part,
  );
}

interface Cursor {
  readonly text: string;
  readonly what: string;
  position: number;
}

function parseValue(cursor: Cursor, depth: number): JsonValue {
  if (depth > parseDepthMax)
    throw failure(`Cannot read ${cursor.what}: nested deeper than ${parseDepthMax} levels`);
  skipSpace(cursor);
  switch (cursor.text[cursor.position]) {
    case '{':
      return parseObject(cursor, depth);
    case '[':
      return parseArray(cursor, depth);
    case '"':
      return parseString(cursor);
    default:
      return parseAtom(cursor);
  }
}

function parseObject(cursor: Cursor, depth: number): ReadonlyMap<string, JsonValue> {
  const entries = new Map<string, JsonValue>();
  cursor.position++;
  if (take(cursor, '}')) return entries;
  do {
    skipSpace(cursor);
    if (cursor.text[cursor.position] !== '"') throw broken(cursor, 'a key in quotes');
    const key = parseString(cursor);
    if (entries.has(key))
      throw failure(`Cannot read ${cursor.what}: the key ${JSON.stringify(key)} comes twice`);
    if (!take(cursor, ':')) throw broken(cursor, 'a colon');
    entries.set(key, parseValue(cursor, depth + 1));
  } while (take(cursor, ','));
  if (!take(cursor, '}')) throw broken(cursor, '} or a comma');
  return entries;
}

function parseArray(cursor: Cursor, depth: number): readonly JsonValue[] {
  const items: JsonValue[] = [];
  cursor.position++;
  if (take(cursor, ']')) return items;
  do items.push(parseValue(cursor, depth + 1));
  while (take(cursor, ','));
  if (!take(cursor, ']')) throw broken(cursor, '] or a comma');
  return items;
}

function parseString(cursor: Cursor): string {
  const start = cursor.position;
  let end = start + 1;
  while (end < cursor.text.length && cursor.text[end] !== '"') end += cursor.text[end] === '\\' ? 2 : 1;
  const value = literal(cursor, cursor.text.slice(start, end + 1));
  if (typeof value !== 'string') throw broken(cursor, 'a string');
  cursor.position = end + 1;
  return value;
}

const atom = /[-+.\w]+/y;

function parseAtom(cursor: Cursor): null | boolean | number {
  atom.lastIndex = cursor.position;
  const text = atom.exec(cursor.text)?.[0] ?? '';
  const value = literal(cursor, text);
  if (value !== null && typeof value !== 'boolean' && typeof value !== 'number')
    throw broken(cursor, 'a value');
  cursor.position += text.length;
  return value;
}

/** One token without structure, so that `JSON.parse` may judge it. */
function literal(cursor: Cursor, token: string): unknown {
  try {
    return JSON.parse(token);
  } catch (cause) {
    throw failure(`Cannot read ${cursor.what}: no JSON value at character ${cursor.position}`, cause);
  }
}

function take(cursor: Cursor, wanted: string): boolean {
  skipSpace(cursor);
  if (cursor.text[cursor.position] !== wanted) return false;
  cursor.position++;
  return true;
}

function skipSpace(cursor: Cursor): void {
  while (' \t\n\r'.includes(cursor.text[cursor.position] ?? 'end')) cursor.position++;
}

function broken(cursor: Cursor, wanted: string): Error {
  return failure(`Cannot read ${cursor.what}: no JSON at character ${cursor.position}, expected ${wanted}`);
}
