// Plain tables as Go's tabwriter prints them, which users of istioctl and kubectl cut, grep and awk: a header in
// capitals, columns padded by spaces, nothing after the last one.

export interface TableOptions {
  /** Spaces between a column's widest cell and the next column; default 5, as istioctl. */
  readonly padding?: number;
  /** Columns of the terminal: a table that is wider gets a smaller padding, 2 at least. */
  readonly width?: number;
  /** Columns (by index) whose cells end at the right edge: numbers. */
  readonly alignRight?: readonly number[];
  /** Colours one cell; called with the text already padded, so that escape codes count for no width. */
  readonly paint?: (padded: string, row: number, column: number) => string;
}

/** Lines of the table, each ended by a line feed. Rows are as long as the header. */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[], options: TableOptions = {}): string {
  const right = new Set(options.alignRight);
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => displayWidth(row[column] ?? ""))));
  const last = header.length - 1;
  const padding = " ".repeat(
    fitPadding(
      options,
      widths.reduce((sum, each) => sum + each, 0),
      last,
    ),
  );
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

function fitPadding({ padding = 5, width = Infinity }: TableOptions, content: number, gaps: number): number {
  return Math.max(Math.min(padding, Math.floor((width - content) / Math.max(gaps, 1))), Math.min(padding, 2));
}

/** Characters as a terminal counts them; names of services and pods are ASCII, other text may not be. */
function displayWidth(text: string): number {
  return [...text].length;
}
