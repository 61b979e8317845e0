// Tables as commands print them.

/** Cells of the table's lines; columns are at least two spaces apart. */
export function cells(table: string): string[][] {
  return table
    .trimEnd()
    .split("\n")
    .map((line) => line.split(/ {2,}/));
}
