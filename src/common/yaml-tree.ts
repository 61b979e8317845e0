// One YAML or JSON document as a tree of source ranges, for those who edit its text and leave the rest as it was.
// Offsets are UTF-16 units, ends exclusive. Ends of collections and places of empty values, which js-yaml's events
// don't tell, are found by scanning on from what they do tell.
import type { Event, MappingEvent, ScalarEvent, SequenceEvent } from "js-yaml";
import { COLLECTION_STYLE, constructFromEvents, EVENT_ID, getScalarValue, parseEvents, SCALAR_STYLE, YAMLException } from "js-yaml";
import { KUBECTL_SCHEMA, MAX_ALIASES, type YamlProblem } from "./yaml.ts";

export interface SourceNode {
  readonly kind: "map" | "list" | "scalar" | "alias";
  /** `{…}` or `[…]`, as all of JSON is. */
  readonly isFlow: boolean;
  /** Nothing is written, as in `labels:`; then start and end are where it would be. */
  readonly isEmpty: boolean;
  /** The value itself, quotes and brackets included, without anchor and tag. */
  readonly start: number;
  readonly end: number;
  /** Of an alias, or of a node that has an anchor: its name. */
  readonly anchor: string | undefined;
  /** Members in the order of the text. */
  readonly children: readonly SourceChild[];
}

export interface SourceChild {
  /** Of a map's entry; undefined for a list's item, and for a key that is no scalar. */
  readonly key: string | undefined;
  /** Key, or the item with its anchor and tag. */
  readonly start: number;
  /** Behind the key's colon; for items as `start`. */
  readonly valueFrom: number;
  readonly node: SourceNode;
}

export interface SourceDocument {
  readonly value: unknown;
  readonly root: SourceNode;
  readonly hasAliases: boolean;
}

/**
 * Reads a text that holds one document at most.
 * @throws YAMLException as js-yaml does.
 */
export function readSourceTree(text: string): SourceDocument {
  const events = parseEvents(text, {});
  const [value = null] = constructFromEvents(events, { source: text, schema: KUBECTL_SCHEMA, maxAliases: MAX_ALIASES });
  const hasAliases = events.some((each) => each.type === EVENT_ID.ALIAS);
  return { value, root: new TreeBuilder(text, events).root(), hasAliases };
}

/** Own entry of a map, or item of a list; what a merge brings is not here. */
export function childAt(node: SourceNode, step: string | number): SourceChild | undefined {
  if (typeof step === "number") return node.kind === "list" ? node.children[step] : undefined;
  return node.kind === "map" ? node.children.find((each) => each.key === step) : undefined;
}

export function nodeAt(root: SourceNode, path: readonly (string | number)[]): SourceNode | undefined {
  let node: SourceNode | undefined = root;
  for (const step of path) node = node === undefined ? undefined : childAt(node, step)?.node;
  return node;
}

type Collection = MappingEvent | SequenceEvent;

class TreeBuilder {
  readonly #text: string;
  readonly #events: readonly Event[];
  #index = 0;

  constructor(text: string, events: readonly Event[]) {
    this.#text = text;
    this.#events = events;
  }

  root(): SourceNode {
    if (this.#events[0]?.type === EVENT_ID.DOCUMENT) this.#index++;
    return this.#node(this.#text.length);
  }

  /** @param from where an empty value is. */
  #node(from: number): SourceNode {
    const event = this.#events[this.#index++];
    switch (event?.type) {
      case EVENT_ID.MAPPING:
      case EVENT_ID.SEQUENCE:
        return this.#collection(event);
      case EVENT_ID.SCALAR:
        return this.#scalar(event, from);
      case EVENT_ID.ALIAS: {
        const anchor = this.#text.slice(event.anchorStart, event.anchorEnd);
        return { ...EMPTY, kind: "alias", isEmpty: false, start: event.anchorStart - 1, end: event.anchorEnd, anchor };
      }
      default:
        return { ...EMPTY, start: from, end: from };
    }
  }

  #anchorOf(event: Collection | ScalarEvent): string | undefined {
    return event.anchorStart < 0 ? undefined : this.#text.slice(event.anchorStart, event.anchorEnd);
  }

  #scalar(event: ScalarEvent, from: number): SourceNode {
    const anchor = this.#anchorOf(event);
    const behindProperties = Math.max(from, event.anchorEnd, event.tagEnd);
    const { style, valueStart, valueEnd } = event;
    if (style === SCALAR_STYLE.LITERAL_BLOCK || style === SCALAR_STYLE.FOLDED_BLOCK) {
      const start = this.#skipBlanks(behindProperties);
      const lineEnd = this.#text.indexOf("\n", start);
      const end = valueEnd < 0 ? (lineEnd < 0 ? this.#text.length : lineEnd) : valueEnd;
      return { ...EMPTY, isEmpty: false, start, end: this.#withoutLineEnd(end), anchor };
    }
    if (valueStart < 0) return { ...EMPTY, start: behindProperties, end: behindProperties, anchor };
    const quote = style === SCALAR_STYLE.SINGLE_QUOTED || style === SCALAR_STYLE.DOUBLE_QUOTED ? 1 : 0;
    return { ...EMPTY, isEmpty: false, start: valueStart - quote, end: valueEnd + quote, anchor };
  }

  #collection(event: Collection): SourceNode {
    const isMap = event.type === EVENT_ID.MAPPING;
    const isFlow = event.style === COLLECTION_STYLE.FLOW;
    const children: SourceChild[] = [];
    // Where an empty item of a list is: behind the dash or comma, which nobody asks for.
    let end = event.start + (isFlow ? 1 : 0);
    while (this.#events[this.#index]?.type !== EVENT_ID.POP) {
      const first = this.#events[this.#index];
      const child = isMap ? this.#entry(first, end) : this.#item(first, end);
      children.push(child);
      end = Math.max(child.valueFrom, child.node.end);
    }
    this.#index++;
    if (isFlow) end = this.#closing(end, isMap ? "}" : "]");
    return { kind: isMap ? "map" : "list", isFlow, isEmpty: false, start: event.start, end, anchor: this.#anchorOf(event), children };
  }

  #entry(event: Event | undefined, from: number): SourceChild {
    const keyNode = this.#node(from);
    const key = event?.type === EVENT_ID.SCALAR && event.valueStart >= 0 ? getScalarValue(this.#text, event) : undefined;
    const colon = this.#skipBlanks(keyNode.end);
    const valueFrom = this.#text[colon] === ":" ? colon + 1 : keyNode.end;
    return { key, start: propertiesStart(event, keyNode.start), valueFrom, node: this.#node(valueFrom) };
  }

  #item(event: Event | undefined, from: number): SourceChild {
    const node = this.#node(from);
    const start = propertiesStart(event, node.start);
    return { key: undefined, start, valueFrom: start, node };
  }

  #skipBlanks(from: number): number {
    let at = from;
    while (this.#text[at] === " " || this.#text[at] === "\t") at++;
    return at;
  }

  #withoutLineEnd(end: number): number {
    if (this.#text[end - 1] !== "\n") return end;
    return this.#text[end - 2] === "\r" ? end - 2 : end - 1;
  }

  /** Behind the bracket: between the last member and it are blanks, commas and comments only. */
  #closing(from: number, bracket: string): number {
    let at = from;
    while (at < this.#text.length && this.#text[at] !== bracket) {
      const lineEnd = this.#text[at] === "#" ? this.#text.indexOf("\n", at) : at;
      at = lineEnd < 0 ? this.#text.length : lineEnd + 1;
    }
    return at + 1;
  }
}

const EMPTY: SourceNode = { kind: "scalar", isFlow: false, isEmpty: true, start: 0, end: 0, anchor: undefined, children: [] };

/** An anchor or tag in front of a value belongs to it. */
function propertiesStart(event: Event | undefined, start: number): number {
  if (event === undefined || !("tagStart" in event)) return start;
  const anchor = event.anchorStart < 0 ? start : event.anchorStart - 1;
  const tag = event.tagStart < 0 ? start : event.tagStart;
  return Math.min(start, anchor, tag);
}

/**
 * As readSourceTree, for text that a person wrote.
 * @param firstLine line of `file` in which the text starts, from 1.
 */
export function tryReadSourceTree(text: string, file: string, firstLine: number): SourceDocument | YamlProblem {
  try {
    return readSourceTree(text);
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { line, column } = error.mark ?? { line: 0, column: 0 };
    return { file, line: line + firstLine, column: column + 1, message: `not YAML: ${error.reason}` };
  }
}
