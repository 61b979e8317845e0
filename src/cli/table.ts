// Plain tables as Go's tabwriter prints them, which users of istioctl and kubectl cut, grep and awk: a header in
// capitals, columns padded by spaces, nothing after the last one.

export interface TableOptions {
  /** Spaces between a column's widest cell and the next column; default 5, as istioctl. */
  readonly padding?: number;
  /** Columns (by index) whose cells end at the right edge: numbers. */
  readonly alignRight?: readonly number[];
  /** Colours one cell; called with the text already padded, so that escape codes count for no width. */
  readonly paint?: (padded: string, row: number, column: number) => string;
}

/** Lines of the table, each ended by a line feed. Rows are as long as the header. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const padding = " ".repeat(options.padding ?? 5);
  const right = new Set(options.alignRight);
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => displayWidth(row[column] ?? ""))));
  const last = header.length - 1;
  const line = (row: readonly string[], index: number): string => {
    const cells = header.map((_, column) => {
      const text = row[column] ?? "";
      const fill = " ".repeat((widths[column] ?? 0) - displayWidth(text));
      const padded = right.has(column) ? fill + text : column === last ? text : text + fill;
      return index === 0 || options.paint === undefined ? padded : options.paint(padded, index - 1, column);
    });
    return cells.join(padding).trimEnd();
  };
  return all.map((row, index) => `${line(row, index)}\n`).join("");
}

/** Characters as a terminal counts them; names of services and pods are ASCII, other text may not be. */
function displayWidth(text: string): number {
  return [...text].length;
}
