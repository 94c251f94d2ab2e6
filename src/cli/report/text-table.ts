/** Tables and bars of plain text. */

/** Returns a table, indented by two: the first column is text, the others are aligned right like numbers. */
export function textTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = header.map((title, column) =>
    Math.max(title.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  const line = (cells: readonly string[]): string =>
    `  ${cells
      .map((cell, column) =>
        column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0),
      )
      .join('   ')
      .trimEnd()}`;
  return [line(header), line(widths.map((width) => '─'.repeat(width))), ...rows.map(line)].join('\n');
}

/** Returns `name  value` lines with the values one under the other, indented by two. */
export function textList(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([name]) => name.length));
  return rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
}

/** Returns a bar whose length is a share of `width` characters, at least one for anything above 0. */
export function textBar(share: number, width: number): string {
  return share <= 0 ? '' : '█'.repeat(Math.max(1, Math.round(share * width)));
}
