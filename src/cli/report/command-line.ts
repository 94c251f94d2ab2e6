/** Command lines for people to copy. */
import { relative } from 'node:path';
import { describeData, describeScaling, type SharedOptions } from '../search-options.ts';

/** Returns the command that verifies a ticket, with the data it was compared on. */
export function verifyCommand(files: { ticket: string; target: string }, options: SharedOptions): string {
  const { images, labels, ...data } = options.data === null ? {} : describeData(options.data);
  const flags: Record<string, string | undefined> = {
    target: fromHere(files.target),
    activation: options.activation?.name,
    images: images === undefined ? undefined : fromHere(images),
    labels: labels === undefined ? undefined : fromHere(labels),
    ...data,
    ...describeScaling(options.scaling),
  };
  const words = Object.entries(flags).flatMap(([name, value]) =>
    value === undefined ? [] : [`--${name}`, quote(value)],
  );
  return ['npx tombola verify', quote(fromHere(files.ticket)), ...words].join(' ');
}

/** Returns the command that exports a ticket. */
export function exportCommand(
  files: { ticket: string; target: string },
  { activation }: SharedOptions,
  { format, out }: { format: string; out: string },
): string {
  const paths = `${quote(fromHere(files.ticket))} --target ${quote(fromHere(files.target))}`;
  const named = activation === null ? '' : ` --activation ${quote(activation.name)}`;
  return `npx tombola export ${paths}${named} --format ${format} --out ${quote(out)}`;
}

/** Returns a path as one would type it in this folder, where that is shorter; it does not begin like an option. */
export function fromHere(path: string): string {
  const short = relative(process.cwd(), path);
  const typed = short !== '' && short.length < path.length ? short : path;
  return typed.startsWith('-') ? `./${typed}` : typed;
}

/** Returns a word that a POSIX shell reads back as it is. */
export function quote(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", `'\\''`)}'`;
}
