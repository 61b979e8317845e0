// YAML as kubectl reads it, with the place of every field, and written so that no YAML reader takes it for something
// else. Everything that reads or writes YAML goes through here: sources, the CLI, the local mesh, bootstraps.
import type { Event } from "js-yaml";
import {
  boolYaml11Tag,
  constructFromEvents,
  defineScalarTag,
  dump,
  DUMP_SCHEMA,
  EVENT_ID,
  FAILSAFE_SCHEMA,
  getScalarValue,
  mergeTag,
  NOT_RESOLVED,
  nullYaml11Tag,
  parseEvents,
  Schema,
  YAMLException,
} from "js-yaml";

/** A field inside a document: `["spec", "http", 0, "match"]`. */
export type FieldPath = readonly (string | number)[];

export interface Position {
  /** From 1. */
  readonly line: number;
  /** From 1, in UTF-16 units. */
  readonly column: number;
}

export interface YamlDocument {
  /** Plain data; null for an empty document. Keys are always strings, as in JSON. */
  readonly value: unknown;
  /** Line where the document's content starts. */
  readonly line: number;
  /** Where a field stands: its key, or a list item's first character. What does not exist is located at its nearest parent. */
  locate(path: FieldPath): Position;
}

export interface YamlProblem extends Position {
  readonly file: string;
  readonly message: string;
}

export interface YamlFile {
  readonly documents: readonly YamlDocument[];
  /** The first syntax error; then there are no documents. */
  readonly problems: readonly YamlProblem[];
}

/** Aliases of one file; beyond, it is not configuration but an attack on our memory. */
export const MAX_ALIASES = 10_000;

const SIGNED_DIGITS = /^[-+]?[0-9]/;
// go-yaml v2, which kubectl reads with: Go's ParseInt with base 0 after underscores are gone, then this float.
const INTEGER = /^([-+]?)(?:0[xX]([0-9a-fA-F]+)|0[bB]([01]+)|0[oO]?([0-7]+)|(0|[1-9][0-9]*))$/;
const FLOAT = /^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$/;
const INFINITE = /^([-+]?)\.(?:inf|Inf|INF)$/;

function resolveInteger(source: string): number | typeof NOT_RESOLVED {
  if (!SIGNED_DIGITS.test(source)) return NOT_RESOLVED;
  const match = INTEGER.exec(source.replaceAll("_", ""));
  if (match === null) return NOT_RESOLVED;
  const [, sign, hex, binary, octal, decimal] = match;
  const [digits, radix] =
    hex !== undefined ? [hex, 16] : binary !== undefined ? [binary, 2] : octal !== undefined ? [octal, 8] : [decimal ?? "0", 10];
  const value = Number.parseInt(digits, radix);
  return sign === "-" && value !== 0 ? -value : value;
}

function resolveFloat(source: string): number | typeof NOT_RESOLVED {
  if (FLOAT.test(source)) return Number(source);
  const infinite = INFINITE.exec(source);
  if (infinite !== null) return infinite[1] === "-" ? -Infinity : Infinity;
  return source === ".nan" || source === ".NaN" || source === ".NAN" ? NaN : NOT_RESOLVED;
}

const NUMBER_STARTS = [..."-+.0123456789"];

/** What kubectl reads a scalar as. */
export const KUBECTL_SCHEMA = new Schema([
  ...FAILSAFE_SCHEMA.tags,
  nullYaml11Tag,
  boolYaml11Tag,
  defineScalarTag("tag:yaml.org,2002:int", {
    implicit: true,
    implicitFirstChars: NUMBER_STARTS,
    resolve: resolveInteger,
    identify: () => false,
  }),
  defineScalarTag("tag:yaml.org,2002:float", {
    implicit: true,
    implicitFirstChars: NUMBER_STARTS,
    resolve: resolveFloat,
    identify: () => false,
  }),
  // A date stays the text it is; only an explicit tag names it, and then too it is text.
  defineScalarTag("tag:yaml.org,2002:timestamp", { resolve: (source) => source, identify: () => false }),
  defineScalarTag("tag:yaml.org,2002:binary", { resolve: (source) => source, identify: () => false }),
  mergeTag,
]);

/**
 * Parses one or several YAML (or JSON) documents. Nothing is thrown: a syntax error or a duplicate key is a problem
 * with its place.
 *
 * @param file name for problems; nothing is read from it.
 */
export function parseYamlDocuments(text: string, file: string): YamlFile {
  try {
    const events = parseEvents(text, { filename: file });
    const values = constructFromEvents(events, { source: text, filename: file, schema: KUBECTL_SCHEMA, maxAliases: MAX_ALIASES });
    const lines = new LineIndex(text);
    const roots = new RangeBuilder(events, text).documents();
    return { documents: values.map((value, index) => toDocument(value, roots[index], lines)), problems: [] };
  } catch (error) {
    if (!(error instanceof YAMLException)) throw error;
    const { line, column } = error.mark ?? { line: 0, column: 0 };
    return { documents: [], problems: [{ file, line: line + 1, column: column + 1, message: `not YAML: ${error.reason}` }] };
  }
}

/** Writes one value as a YAML document; undefined members are left out. Strings that any YAML version reads as something else are quoted. */
export function dumpYaml(value: unknown): string {
  return dump(value, { schema: DUMP_SCHEMA, lineWidth: -1, noRefs: true, skipInvalid: true });
}

/** `spec.http[0].match` for people; a key that is not a plain word is quoted in brackets. */
export function formatFieldPath(path: FieldPath): string {
  let text = "";
  for (const step of path) {
    if (typeof step === "number") text += `[${step}]`;
    else if (/^[\w$-]+$/.test(step)) text += text === "" ? step : `.${step}`;
    else text += `[${JSON.stringify(step)}]`;
  }
  return text;
}

/** Where a node starts, and its members by key or index; -1: an empty value, which has no place of its own. */
interface Range {
  readonly start: number;
  readonly members: Map<string | number, { readonly at: number; readonly range: Range }>;
}

function toDocument(value: unknown, root: Range | undefined, lines: LineIndex): YamlDocument {
  const start = Math.max(root?.start ?? 0, 0);
  return {
    value,
    line: lines.position(start).line,
    locate(path) {
      let offset = start;
      let range = root;
      for (const step of path) {
        const member = range?.members.get(step);
        if (member === undefined) break;
        offset = member.at;
        range = member.range;
      }
      return lines.position(offset);
    },
  };
}

/** Turns the flat events into a tree of offsets. Aliases end the tree: what they stand for is located where they are used. */
class RangeBuilder {
  readonly #events: readonly Event[];
  readonly #text: string;
  #index = 0;

  constructor(events: readonly Event[], text: string) {
    this.#events = events;
    this.#text = text;
  }

  documents(): Range[] {
    const roots: Range[] = [];
    for (let event = this.#next(); event !== undefined; event = this.#next()) {
      if (event.type === EVENT_ID.DOCUMENT) roots.push(this.#node());
    }
    return roots;
  }

  #next(): Event | undefined {
    return this.#events[this.#index++];
  }

  #node(): Range {
    const event = this.#next();
    const members: Range["members"] = new Map();
    if (event?.type === EVENT_ID.MAPPING) {
      while (this.#events[this.#index]?.type !== EVENT_ID.POP) {
        const keyEvent = this.#events[this.#index];
        const keyRange = this.#node();
        const range = this.#node();
        const key = keyEvent?.type === EVENT_ID.SCALAR && keyEvent.valueStart >= 0 ? getScalarValue(this.#text, keyEvent) : "";
        members.set(key, { at: Math.max(keyRange.start, 0), range });
      }
      this.#index++;
      return { start: event.start, members };
    }
    if (event?.type === EVENT_ID.SEQUENCE) {
      for (let item = 0; this.#events[this.#index]?.type !== EVENT_ID.POP; item++) {
        const range = this.#node();
        members.set(item, { at: range.start >= 0 ? range.start : event.start, range });
      }
      this.#index++;
      return { start: event.start, members };
    }
    if (event?.type === EVENT_ID.SCALAR) return { start: event.valueStart, members };
    if (event?.type === EVENT_ID.ALIAS) return { start: event.anchorStart, members };
    // An empty document: leave its POP to the caller.
    this.#index--;
    return { start: -1, members };
  }
}

class LineIndex {
  readonly #starts: number[] = [0];

  constructor(text: string) {
    for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) this.#starts.push(at + 1);
  }

  position(offset: number): Position {
    let low = 0;
    let high = this.#starts.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if ((this.#starts[middle] ?? 0) <= offset) low = middle;
      else high = middle - 1;
    }
    return { line: low + 1, column: offset - (this.#starts[low] ?? 0) + 1 };
  }
}
