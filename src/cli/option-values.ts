/**
 * Texts of options to values. Each function refuses, in one line, what it cannot use.
 */
import { misuse } from '../core/errors.ts';
import type { RawOptions } from './option-table.ts';

/** Which numbers an option takes. */
export interface NumberRule {
  /** Behind "expected". */
  readonly wanted: string;
  readonly accepts: (value: number) => boolean;
}

/** Any finite number. */
export const finiteNumber: NumberRule = { wanted: 'a finite number', accepts: Number.isFinite };

/** Finite numbers to divide by. */
export const divisor: NumberRule = {
  wanted: 'a finite number other than 0',
  accepts: (value) => Number.isFinite(value) && value !== 0,
};

/** Numbers strictly between 0 and 1. */
export const share: NumberRule = {
  wanted: 'a number above 0 and below 1',
  accepts: (value) => value > 0 && value < 1,
};

/** Returns the rule for numbers of a range. */
export function numberFrom(min: number, max: number): NumberRule {
  return { wanted: `a number from ${min} to ${max}`, accepts: (value) => value >= min && value <= max };
}

/** Returns the rule for whole numbers of a range. */
export function wholeNumber(min: number, max = Number.MAX_SAFE_INTEGER): NumberRule {
  return {
    wanted:
      max === Number.MAX_SAFE_INTEGER
        ? `a whole number, at least ${min}`
        : `a whole number from ${min} to ${max}`,
    accepts: (value) => Number.isSafeInteger(value) && value >= min && value <= max,
  };
}

/**
 * Returns the number an option was given, or undefined where it was not given.
 * @throws TombolaError (misuse) when the rule does not accept it.
 */
export function numberOption(raw: RawOptions, name: string, rule: NumberRule): number | undefined {
  const text = raw.get(name);
  return text === undefined ? undefined : parseNumber(name, text, rule);
}

/** Returns a comma list of numbers, each checked by the rule. */
export function numbersOption(raw: RawOptions, name: string, rule: NumberRule): number[] | undefined {
  return raw
    .get(name)
    ?.split(',')
    .map((part) => parseNumber(name, part, rule));
}

/** Returns the given word, one of `words`, or the first of them by default. */
export function wordOption<Word extends string>(
  raw: RawOptions,
  name: string,
  words: readonly [Word, ...Word[]],
): Word {
  const text = raw.get(name);
  if (text === undefined) return words[0];
  const word = words.find((known) => known === text);
  if (word === undefined)
    throw misuse(`Cannot use --${name} ${JSON.stringify(text)}: expected ${words.join(' or ')}`);
  return word;
}

/**
 * Returns a seed: decimal or hexadecimal with 0x.
 * @throws TombolaError (misuse) when it is no whole number below 2^64.
 */
export function seedOption(raw: RawOptions): bigint {
  const text = (raw.get('seed') ?? '1').trim();
  const isNumber = /^([0-9]{1,20}|0[xX][0-9a-fA-F]{1,16})$/.test(text);
  const seed = isNumber ? BigInt(text) : -1n;
  if (seed < 0n || seed >= 1n << 64n)
    throw misuse(
      `Cannot use --seed ${JSON.stringify(text)}: expected a whole number from 0 to 2^64 − 1, decimal or 0x…`,
    );
  return seed;
}

function parseNumber(name: string, text: string, rule: NumberRule): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!rule.accepts(value))
    throw misuse(`Cannot use --${name} ${JSON.stringify(text)}: expected ${rule.wanted}`);
  return value;
}
