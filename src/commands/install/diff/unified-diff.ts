// Two texts as a unified diff (POSIX diff -u). By Myers' algorithm ("An O(ND) Difference Algorithm and Its Variations",
// 1986): what two versions of an object differ in is little, however long they are.

const CONTEXT_LINES = 3;
/** Of this many lines added and removed, an exact answer helps nobody: all old lines go, all new ones come. */
const MAX_CHANGED_LINES = 1000;

interface Line {
  readonly sign: " " | "-" | "+";
  readonly text: string;
}

/** The hunks, without a heading; empty for equal texts. */
export function unifiedDiff(before: string, after: string): string {
  const lines = compareLines(toLines(before), toLines(after));
  let text = "";
  for (const [start, end] of hunksOf(lines)) {
    const oldStart = count(lines, 0, start, "+") + 1;
    const newStart = count(lines, 0, start, "-") + 1;
    const [oldCount, newCount] = [count(lines, start, end, "+"), count(lines, start, end, "-")];
    text += `@@ -${range(oldStart, oldCount)} +${range(newStart, newCount)} @@\n`;
    for (const { sign, text: line } of lines.slice(start, end)) text += `${sign}${line}\n`;
  }
  return text;
}

function toLines(text: string): string[] {
  return text === "" ? [] : text.replace(/\n$/, "").split("\n");
}

function range(start: number, length: number): string {
  // An empty range is named by the line before it.
  return length === 1 ? `${start}` : `${length === 0 ? start - 1 : start},${length}`;
}

function count(lines: readonly Line[], from: number, to: number, except: Line["sign"]): number {
  let sum = 0;
  for (let index = from; index < to; index++) if (lines[index]?.sign !== except) sum++;
  return sum;
}

/** Changes with their context, those that touch each other as one. */
function hunksOf(lines: readonly Line[]): [start: number, end: number][] {
  const hunks: [number, number][] = [];
  for (const [index, { sign }] of lines.entries()) {
    if (sign === " ") continue;
    const end = Math.min(lines.length, index + 1 + CONTEXT_LINES);
    const last = hunks.at(-1);
    if (last !== undefined && index - CONTEXT_LINES <= last[1]) last[1] = end;
    else hunks.push([Math.max(0, index - CONTEXT_LINES), end]);
  }
  return hunks;
}

function compareLines(before: readonly string[], after: readonly string[]): Line[] {
  let same = 0;
  while (same < before.length && same < after.length && before[same] === after[same]) same++;
  const context = before.slice(0, same).map((text): Line => ({ sign: " ", text }));
  return [...context, ...compareRest(before.slice(same), after.slice(same))];
}

function compareRest(before: readonly string[], after: readonly string[]): Line[] {
  const furthest = new Map<number, number>([[1, 0]]);
  /** How far each diagonal was after each step: the way back. */
  const steps: Map<number, number>[] = [];
  for (let step = 0; step <= Math.min(before.length + after.length, MAX_CHANGED_LINES); step++) {
    steps.push(new Map(furthest));
    for (let diagonal = -step; diagonal <= step; diagonal += 2) {
      let x = startOf(furthest, diagonal, step);
      while (x < before.length && x - diagonal < after.length && before[x] === after[x - diagonal]) x++;
      furthest.set(diagonal, x);
      if (x >= before.length && x - diagonal >= after.length) return wayBack(before, after, steps);
    }
  }
  return [...before.map((text): Line => ({ sign: "-", text })), ...after.map((text): Line => ({ sign: "+", text }))];
}

/** A diagonal is entered by an added line from above, or by a removed one from the left: by what leads further. */
function isFromAbove(furthest: ReadonlyMap<number, number>, diagonal: number, step: number): boolean {
  return diagonal === -step || (diagonal !== step && (furthest.get(diagonal - 1) ?? -1) < (furthest.get(diagonal + 1) ?? -1));
}

function startOf(furthest: ReadonlyMap<number, number>, diagonal: number, step: number): number {
  return isFromAbove(furthest, diagonal, step) ? (furthest.get(diagonal + 1) ?? -1) : (furthest.get(diagonal - 1) ?? -1) + 1;
}

function wayBack(before: readonly string[], after: readonly string[], steps: readonly Map<number, number>[]): Line[] {
  const lines: Line[] = [];
  let [x, y] = [before.length, after.length];
  for (let step = steps.length - 1; step >= 0; step--) {
    const furthest = steps[step] ?? new Map<number, number>();
    const diagonal = x - y;
    const start = startOf(furthest, diagonal, step);
    while (x > start && y > 0 && x > 0) {
      x--;
      y--;
      lines.push({ sign: " ", text: before[x] ?? "" });
    }
    if (step === 0) break;
    if (isFromAbove(furthest, diagonal, step)) lines.push({ sign: "+", text: after[--y] ?? "" });
    else lines.push({ sign: "-", text: before[--x] ?? "" });
  }
  return lines.reverse();
}
