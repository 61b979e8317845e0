// Two texts as a unified diff (POSIX diff -u), as `upgrade --diff` and `proxy-status` print it.
import { FILE_HEADERS_ONLY, formatPatch, structuredPatch, type StructuredPatchHunk } from "diff";

const CONTEXT_LINES = 3;
/** Of this many lines added and removed, an exact answer helps nobody and takes minutes: all old lines go, all new ones come. */
const MAX_CHANGED_LINES = 1000;

export interface DiffSide {
  /** For the heading. */
  readonly name: string;
  /** Its last line ends too. */
  readonly text: string;
}

/** With its heading; empty for equal texts. */
export function unifiedDiff(before: DiffSide, after: DiffSide): string {
  if (before.text === after.text) return "";
  const exact = structuredPatch(before.name, after.name, before.text, after.text, undefined, undefined, {
    context: CONTEXT_LINES,
    maxEditLength: MAX_CHANGED_LINES,
  });
  const hunks = exact?.hunks ?? [wholeHunk(toLines(before.text), toLines(after.text))];
  const heading = { oldFileName: before.name, newFileName: after.name, oldHeader: undefined, newHeader: undefined };
  return formatPatch({ ...heading, hunks }, FILE_HEADERS_ONLY);
}

function wholeHunk(before: readonly string[], after: readonly string[]): StructuredPatchHunk {
  const lines = [...before.map((line) => `-${line}`), ...after.map((line) => `+${line}`)];
  return { oldStart: 1, oldLines: before.length, newStart: 1, newLines: after.length, lines };
}

function toLines(text: string): string[] {
  return text.split("\n").slice(0, -1);
}
