/**
 * Changes of JSON values: what a viewer that has one state needs for the next. A patch is itself JSON:
 *
 *   a number, string, true, false or null   the new value
 *   {key: patch, …}                         the value was an object: these keys change, the others stay
 *   [0, value]                              the new value, where it is an array or an object
 *   [1]                                     the key goes; within an object's patch only
 *   [2, length, {index: patch, …}]          the value was an array: it gets this length, these places change
 *   [3, offset, text, offset, text, …]      the value was a string and keeps its length: text from each offset on
 *
 * Where the two values are equal there is no patch. `applyPatch(old, diffJson(old, next))` equals `next`, whatever the two are.
 */
import { failure } from '../errors.ts';

/** A JSON value. Objects of interface types are JSON too, which the compiler cannot see; hence no closer type. */
type Json = unknown;

/** Strings shorter than this are replaced rather than patched. */
const patchedTextLengthMin = 32;
/** Equal characters between two changes that cost less than a second offset. */
const gapLengthMax = 8;

/** Returns the patch from one JSON value to another; undefined when they are equal. O(size). */
export function diffJson(old: Json, next: Json): Json {
  if (old === next) return undefined;
  if (typeof old === 'string' && typeof next === 'string') return diffText(old, next);
  if (Array.isArray(old) && Array.isArray(next)) return diffArray(old, next);
  if (isObject(old) && isObject(next)) return diffObject(old, next);
  return typeof next === 'object' && next !== null ? [0, next] : next;
}

/**
 * Returns the value that a patch makes of the old one, which is left as it was; parts that do not change are shared.
 * @throws TombolaError (failure) when the patch is not for this value.
 */
export function applyPatch(old: Json, patch: Json): Json {
  if (patch === undefined) return old;
  if (isObject(patch)) return patchObject(old, patch);
  if (!Array.isArray(patch)) return patch;
  if (patch[0] === 0) return patch[1];
  if (patch[0] === 2 && Array.isArray(old) && isObject(patch[2])) return patchArray(old, patch[1], patch[2]);
  if (patch[0] === 3 && typeof old === 'string') return patchText(old, patch);
  throw unfitting();
}

function diffText(old: string, next: string): Json {
  if (old.length !== next.length || next.length < patchedTextLengthMin) return next;
  const patch: (number | string)[] = [3];
  let changed = 0;
  for (let start = 0; start < next.length; start++) {
    if (old[start] === next[start]) continue;
    let end = start + 1;
    for (let at = end; at < next.length && at <= end + gapLengthMax; at++)
      if (old[at] !== next[at]) end = at + 1;
    patch.push(start, next.slice(start, end));
    changed += end - start + gapLengthMax;
    start = end;
  }
  return changed < next.length ? patch : next;
}

function diffArray(old: readonly Json[], next: readonly Json[]): Json {
  const places: Record<string, Json> = {};
  let isChanged = old.length !== next.length;
  next.forEach((value, index) => {
    const patch = index < old.length ? diffJson(old[index], value) : [0, value];
    if (patch === undefined) return;
    places[index] = patch;
    isChanged = true;
  });
  return isChanged ? [2, next.length, places] : undefined;
}

function diffObject(old: object, next: object): Json {
  const before = new Map<string, Json>(Object.entries(old));
  const patches: [string, Json][] = [];
  for (const [key, value] of Object.entries(next)) {
    const patch = before.has(key) ? diffJson(before.get(key), value) : [0, value];
    before.delete(key);
    if (patch !== undefined) patches.push([key, patch]);
  }
  for (const key of before.keys()) patches.push([key, [1]]);
  return patches.length === 0 ? undefined : Object.fromEntries(patches);
}

function patchObject(old: Json, patch: object): Json {
  if (!isObject(old)) throw unfitting();
  // Through a map: a key may be "__proto__".
  const values = new Map<string, Json>(Object.entries(old));
  for (const [key, change] of Object.entries(patch))
    if (Array.isArray(change) && change[0] === 1) values.delete(key);
    else values.set(key, applyPatch(values.get(key), change));
  return Object.fromEntries(values);
}

function patchArray(old: readonly Json[], length: Json, places: object): Json {
  if (typeof length !== 'number') throw unfitting();
  const values = old.slice(0, length);
  for (const [index, change] of Object.entries(places))
    values[Number(index)] = applyPatch(values[Number(index)], change);
  if (values.length !== length) throw unfitting();
  return values;
}

function patchText(old: string, [, ...changes]: readonly Json[]): Json {
  let text = '';
  for (let index = 0; index < changes.length; index += 2) {
    const [offset, piece] = [changes[index], changes[index + 1]];
    if (typeof offset !== 'number' || typeof piece !== 'string' || offset < text.length) throw unfitting();
    text += old.slice(text.length, offset) + piece;
  }
  text += old.slice(text.length);
  if (text.length !== old.length) throw unfitting();
  return text;
}

function isObject(value: Json): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function unfitting(): Error {
  return failure('Cannot follow the changes: one does not fit what came before, expected a snapshot first');
}
