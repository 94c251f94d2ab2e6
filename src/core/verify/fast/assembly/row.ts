/**
 * The kept edges of one row: which bits of its mask are set, and the grid integers behind them. Only the blocks of random numbers
 * that hold a kept edge are drawn, each once.
 */
import { reserve } from './memory';
import { drawBlocks, keyBytes, writeKeys } from './philox';

/** Shape [bytes]: the mask of the row at hand. The loader writes it; bits behind the last edge are ignored. */
export let mask: usize = 0;
/** Shape [bits]: the element of the row that each bit stands for. The loader writes it. */
export let elements: usize = 0;
/** Shape [kept]: the bits that are set, ascending. */
export let kept: usize = 0;
/** Shape [kept]: their grid integers. */
export let weights: usize = 0;

let keys: usize = 0;
let numberShift: i32 = 0;
let numberHalf: i32 = 0;
let rowLength: u64 = 0;
let bitCount: i32 = 0;
let maskWords: i32 = 0;
/** Shape [blocks of numbers that a row can touch]: a block's place among those drawn for the row, above `placeBase`; below it, none. */
let places: usize = 0;
let placesEnd: usize = 0;
let placeBase: u32 = 0;
/** Shape [blocks drawn]: their counters, then their numbers as drawBlocks writes them. */
let counters: usize = 0;
let numbers: usize = 0;

/** Makes room for rows of `bits` mask bits over `rowElements` elements. */
export function reserveRow(bits: i32, rowElements: i32): void {
  bitCount = bits;
  maskWords = (bits + 63) >> 6;
  const padded = <u64>maskWords << 6;
  mask = reserve(padded >> 3);
  elements = reserve(padded << 2);
  kept = reserve(padded << 2);
  weights = reserve(padded << 2);
  keys = reserve(keyBytes);
  const touched = (<u64>rowElements + 14) >> 3;
  places = reserve(touched << 2);
  placesEnd = places + <usize>(touched << 2);
  placeBase = 1;
  // No more blocks are drawn than bits are set, nor than there are.
  const drawn = (min(touched, padded) + 3) & ~(<u64>3);
  counters = reserve(drawn << 3);
  numbers = reserve(drawn << 5);
}

/** Names the stream that rows of `rowElements` numbers lie in. */
export function setStream(seed: u64, stream: u64, gridBits: i32, rowElements: i32): void {
  writeKeys(keys, seed, stream);
  numberShift = 32 - gridBits;
  numberHalf = 1 << (gridBits - 1);
  rowLength = <u64>rowElements;
}

/** Finds the kept bits of a row and draws their grid integers; returns how many they are. */
export function readRow(row: f64): i32 {
  const first = <u64>row * rowLength;
  const offset = <u32>first & 7;
  const counter = (first >> 3) + 1;
  if (placeBase > 0x7fffffff) {
    memory.fill(places, 0, placesEnd - places);
    placeBase = 1;
  }
  let count: usize = 0;
  let drawn: u32 = 0;
  for (let word = 0; word < maskWords; word++) {
    let bits = load<u64>(mask + (<usize>word << 3));
    while (bits != 0) {
      const bit = <usize>((word << 6) + <i32>ctz(bits));
      bits &= bits - 1;
      const at = offset + load<u32>(elements + (bit << 2));
      const block = <usize>(at >> 3);
      // A branch here would be mispredicted for every third edge.
      const known = load<u32>(places + (block << 2));
      const isNew = known < placeBase;
      const place = isNew ? placeBase + drawn : known;
      store<u32>(places + (block << 2), place);
      store<u64>(counters + (<usize>drawn << 3), counter + <u64>block);
      drawn += <u32>isNew;
      const index = place - placeBase;
      store<u32>(kept + (count << 2), <u32>bit);
      store<u32>(weights + (count << 2), ((index >> 2) << 5) + ((at & 7) << 2) + (index & 3));
      count++;
    }
  }
  placeBase += drawn;
  drawBlocks(keys, counters, (drawn + 3) >> 2, numbers, numberShift, numberHalf);
  while (count > 0 && load<i32>(kept + ((count - 1) << 2)) >= bitCount) count--;
  for (let at = weights, end = weights + (count << 2); at != end; at += 4) {
    store<u32>(at, load<u32>(numbers + (<usize>load<u32>(at) << 2)));
  }
  return <i32>count;
}
