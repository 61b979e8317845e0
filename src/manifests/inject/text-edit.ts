// Edits on the text of a YAML or JSON document by the ranges of its tree: what is not named stays byte for byte.
// Every insertion has its removal: whole lines in block style, the value with one separator in flow style.
import { dumpYaml } from "../../common/yaml.ts";
import type { SourceChild, SourceNode } from "../../common/yaml-tree.ts";

export interface TextEdit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  /** Of insertions at one place the deeper goes first: a list ends before the map that holds it. */
  readonly depth: number;
}

/** Carries out edits in any order; only removals may touch or overlap each other. */
export function applyEdits(text: string, edits: readonly TextEdit[]): string {
  const removals = joinRemovals(text, edits.filter(isRemoval));
  const sorted = [...edits.filter((each) => !isRemoval(each)), ...removals].toSorted((a, b) => a.start - b.start || b.depth - a.depth);
  const parts: string[] = [];
  let at = 0;
  for (const edit of sorted) {
    parts.push(text.slice(at, edit.start), edit.text);
    at = edit.end;
  }
  parts.push(text.slice(at));
  return parts.join("");
}

function isRemoval(edit: TextEdit): boolean {
  return edit.text === "" && edit.end > edit.start;
}

function joinRemovals(text: string, removals: readonly TextEdit[]): TextEdit[] {
  const joined: TextEdit[] = [];
  for (const each of removals.toSorted((a, b) => a.start - b.start)) {
    const last = joined.at(-1);
    if (last !== undefined && each.start <= last.end) joined[joined.length - 1] = { ...last, end: Math.max(last.end, each.end) };
    else joined.push(each);
  }
  const last = joined.at(-1);
  // The last lines of a file that ends without a line end: the one in front of them came with them.
  if (last !== undefined && last.end === text.length && !text.endsWith("\n"))
    joined[joined.length - 1] = { ...last, start: withoutLineEnd(text, last.start) };
  return joined;
}

/** Writes into one collection of one text. */
export class CollectionEditor {
  readonly #text: string;
  readonly #node: SourceNode;
  readonly #depth: number;

  /** @param depth of the collection in its document. */
  constructor(text: string, node: SourceNode, depth: number) {
    this.#text = text;
    this.#node = node;
    this.#depth = depth;
  }

  /** New entries of a map, behind those that are there. */
  appendEntries(entries: Readonly<Record<string, unknown>>): TextEdit[] {
    return Object.entries(entries).map(([key, value]) => this.#append(dumpYaml({ [key]: value }), (style) => entryText(key, value, style)));
  }

  /** What to write where an entry stands already, at the column of its key. */
  entryText(key: string, value: unknown): string {
    if (this.#node.isFlow) return entryText(key, value, undefined);
    // Its line, up to the key, and whatever follows behind the value stay.
    return this.#blockLines(dumpYaml({ [key]: value })).trim();
  }

  /** New items of a list, in front of those that are there or behind them. */
  insertItems(values: readonly unknown[], front: boolean): TextEdit[] {
    if (!front) return values.map((value) => this.#append(dumpYaml([value]), (style) => valueText(value, style)));
    const first = this.#node.children[0];
    if (first === undefined) return [this.#intoEmpty(values.map((value) => valueText(value, undefined)).join(", "))];
    if (this.#node.isFlow) {
      const style = this.#flowStyle();
      const separator = style === undefined ? ", " : `,${style.lineEnd}${style.indent}`;
      return [this.#insertion(first.start, values.map((value) => valueText(value, style) + separator).join(""))];
    }
    // In front of the comments that stand over the first item.
    let at = lineStart(this.#text, this.#node.start);
    for (
      let above = lineStart(this.#text, at - 1);
      at > 0 && isCommentOrBlank(this.#text.slice(above, at));
      above = lineStart(this.#text, at - 1)
    )
      at = above;
    return [this.#insertion(at, values.map((value) => this.#blockLines(dumpYaml([value]))).join(""))];
  }

  #append(block: string, flow: (style: FlowStyle | undefined) => string): TextEdit {
    const last = this.#node.children.at(-1);
    if (last === undefined) return this.#intoEmpty(`${this.#emptyHasCompany()}${flow(undefined)}`);
    const end = endOf(last);
    if (this.#node.isFlow) {
      const style = this.#flowStyle();
      return this.#insertion(end, (style === undefined ? ", " : `,${style.lineEnd}${style.indent}`) + flow(style));
    }
    const lines = this.#blockLines(block);
    const next = lineEndAfter(this.#text, end);
    if (this.#text[next - 1] === "\n") return this.#insertion(next, lines);
    const lineEnd = lineEndOf(this.#text, next);
    return this.#insertion(next, lineEnd + lines.slice(0, -lineEnd.length));
  }

  #emptied = 0;
  /** Several entries that go into one empty collection. */
  #emptyHasCompany(): string {
    return this.#emptied++ === 0 ? "" : ", ";
  }

  #intoEmpty(text: string): TextEdit {
    return this.#insertion(this.#node.start + 1, text);
  }

  #insertion(at: number, text: string): TextEdit {
    return { start: at, end: at, text, depth: this.#depth };
  }

  #blockLines(block: string): string {
    const { start } = this.#node;
    const column = start - lineStart(this.#text, start);
    const lineEnd = lineEndOf(this.#text, start);
    return block
      .trimEnd()
      .split("\n")
      .map((line) => (line === "" ? lineEnd : " ".repeat(column) + line + lineEnd))
      .join("");
  }

  /** Where each member has a line of its own, new ones get one too, indented alike. */
  #flowStyle(): FlowStyle | undefined {
    const first = this.#node.children[0];
    if (first === undefined) return undefined;
    const from = lineStart(this.#text, first.start);
    const indent = this.#text.slice(from, first.start);
    if (from <= this.#node.start || indent.trim() !== "") return undefined;
    const outer = /^[ \t]*/.exec(this.#text.slice(lineStart(this.#text, this.#node.start)))?.[0] ?? "";
    const unit = indent.startsWith(outer) && indent.length > outer.length ? indent.slice(outer.length) : "  ";
    return { indent, unit, lineEnd: lineEndOf(this.#text, first.start) };
  }

  /** Takes members out, each with the separator that came with it. `gone` are indexes in rising order. */
  removeChildren(gone: readonly number[]): TextEdit[] {
    const { children, isFlow } = this.#node;
    const edits: TextEdit[] = [];
    for (let at = 0; at < gone.length; at++) {
      const first = gone[at]!;
      while (gone[at + 1] === gone[at]! + 1) at++;
      const last = gone[at]!;
      const range = isFlow ? flowRange(children, first, last) : blockRange(this.#text, this.#node, first, last);
      edits.push({ ...range, text: "", depth: this.#depth });
    }
    return edits;
  }
}

interface FlowStyle {
  readonly indent: string;
  readonly unit: string;
  readonly lineEnd: string;
}

function valueText(value: unknown, style: FlowStyle | undefined): string {
  if (style === undefined) return JSON.stringify(value);
  return JSON.stringify(value, undefined, style.unit).replaceAll("\n", style.lineEnd + style.indent);
}

function entryText(key: string, value: unknown, style: FlowStyle | undefined): string {
  return `${JSON.stringify(key)}: ${valueText(value, style)}`;
}

function endOf(child: SourceChild): number {
  return Math.max(child.valueFrom, child.node.end);
}

function flowRange(children: readonly SourceChild[], first: number, last: number): { start: number; end: number } {
  const before = children[first - 1];
  const after = children[last + 1];
  const end = endOf(children[last]!);
  if (before !== undefined) return { start: endOf(before), end };
  const start = children[first]!.start;
  return { start, end: after === undefined ? end : after.start };
}

/** From the line of the first member to the end of the line where the last one ends. */
function blockRange(text: string, node: SourceNode, first: number, last: number): { start: number; end: number } {
  const start = node.kind === "list" ? dashLine(text, node, node.children[first]!.start) : lineStart(text, node.children[first]!.start);
  return { start, end: lineEndAfter(text, endOf(node.children[last]!)) };
}

/** Start of the line of an item's dash, which may stand over the item. */
function dashLine(text: string, node: SourceNode, item: number): number {
  const column = node.start - lineStart(text, node.start);
  let at = lineStart(text, item);
  while (at > node.start && text[at + column] !== "-") at = lineStart(text, at - 1);
  return at;
}

export function lineStart(text: string, offset: number): number {
  return offset <= 0 ? 0 : text.lastIndexOf("\n", offset - 1) + 1;
}

/** Behind the line end that follows; a block scalar's range ends in front of its last one. */
function lineEndAfter(text: string, offset: number): number {
  const found = text.indexOf("\n", offset);
  return found < 0 ? text.length : found + 1;
}

function withoutLineEnd(text: string, offset: number): number {
  if (text[offset - 1] !== "\n") return offset;
  return text[offset - 2] === "\r" ? offset - 2 : offset - 1;
}

/** How the line at this place ends, or the one before it. */
function lineEndOf(text: string, offset: number): string {
  const here = text.indexOf("\n", offset);
  const found = here < 0 ? text.lastIndexOf("\n") : here;
  return found > 0 && text[found - 1] === "\r" ? "\r\n" : "\n";
}

function isCommentOrBlank(line: string): boolean {
  const content = line.trim();
  return content === "" || content.startsWith("#");
}
