// Does a request fit a route? Envoy's rules; path matching leaves the query out.
import type { HeaderMatch, QueryMatch, RouteMatch } from "../config/route-config.ts";
import { compileRegex } from "../config/regex.ts";
import { isGrpc } from "../http/grpc/content-type.ts";
import { UNKNOWN, headerIdOf } from "../http/header-id.ts";
import type { RequestHead } from "../http/stream.ts";
import { compileStringMatch } from "../transport/san-match.ts";

const SLASH = 47;

export type RequestPredicate = (head: RequestHead, path: string) => boolean;

/** What a request must be for a route. Paths are compared here, without a call for each rule of a long list. */
export class RouteCondition {
  readonly #kind: "any" | "prefix" | "exact" | "segmentPrefix";
  readonly #value: string;
  readonly #others: readonly RequestPredicate[];

  constructor(match: RouteMatch) {
    const { kind, value, caseSensitive } = match.path;
    const others: RequestPredicate[] = [];
    this.#value = value;
    // A table looks at `connect` routes for CONNECT only, and for CONNECT at no others.
    if (kind === "connect" || (kind === "prefix" && value === "/")) this.#kind = "any";
    else if (kind !== "regex" && caseSensitive) this.#kind = kind;
    else {
      this.#kind = "any";
      others.push(kind === "regex" ? matchesRegex(value) : ignoresCase(kind, value.toLowerCase()));
    }
    for (const header of match.headers) others.push(compileHeader(header));
    if (match.query.length > 0) others.push(compileQuery(match.query));
    if (match.grpcOnly) others.push((head) => isGrpc(head.headers));
    this.#others = others;
  }

  /** @param path without query */
  fits(head: RequestHead, path: string): boolean {
    if (this.#kind !== "any" && !comparePath(this.#kind, path, this.#value)) return false;
    const others = this.#others;
    for (let index = 0; index < others.length; index += 1) if (!others[index]!(head, path)) return false;
    return true;
  }
}

function matchesRegex(value: string): RequestPredicate {
  const matches = compileRegex(value);
  return (_head, path) => matches(path);
}

function ignoresCase(kind: "prefix" | "exact" | "segmentPrefix", value: string): RequestPredicate {
  return (_head, path) => comparePath(kind, path.toLowerCase(), value);
}

function comparePath(kind: "prefix" | "exact" | "segmentPrefix", path: string, value: string): boolean {
  if (kind === "exact") return path === value;
  const { length } = value;
  // Paths of one host mostly differ at the end of a prefix, if at all: seldom more than one character is looked at.
  if (path.length < length || path.charCodeAt(length - 1) !== value.charCodeAt(length - 1) || !path.startsWith(value)) return false;
  return kind === "prefix" || path.length === length || path.charCodeAt(length) === SLASH;
}

export function compileHeader(match: HeaderMatch): RequestPredicate {
  const read = headerReader(match.name);
  const test = compileValueTest(match);
  return (head) => test(read(head));
}

/** What a header's value must be; undefined stands for a header that is not there. */
export function compileValueTest(match: HeaderMatch): (value: string | undefined) => boolean {
  const { range, invert, treatMissingAsEmpty } = match;
  const test = match.match === undefined ? undefined : compileStringMatch(match.match);
  return (found) => {
    const value = found === undefined && treatMissingAsEmpty ? "" : found;
    let matched: boolean;
    if (test !== undefined) {
      // Envoy: a value that is not there matches neither the test nor its inverse.
      if (value === undefined) return false;
      matched = test(value);
    } else if (range !== undefined) {
      if (value === undefined) return false;
      matched = /^[+-]?\d+$/.test(value) && Number(value) >= range.start && Number(value) < range.end;
    } else matched = value !== undefined;
    return matched !== invert;
  };
}

function headerReader(name: string): (head: RequestHead) => string | undefined {
  switch (name) {
    case ":method":
      return (head) => head.method;
    case ":authority":
    case "host":
      return (head) => head.authority;
    case ":path":
      return (head) => head.path;
    case ":scheme":
      return (head) => head.scheme;
  }
  const lower = name.toLowerCase();
  const id = headerIdOf(lower);
  return id === UNKNOWN ? (head) => head.headers.joinedUnknown(lower) : (head) => head.headers.joined(id);
}

function compileQuery(matches: readonly QueryMatch[]): RequestPredicate {
  const compiled = matches.map((each) => ({
    name: each.name,
    test: each.match === undefined ? () => true : compileStringMatch(each.match),
  }));
  return (head) => {
    const mark = head.path.indexOf("?");
    if (mark < 0) return false;
    const parameters = new URLSearchParams(head.path.slice(mark + 1));
    return compiled.every(({ name, test }) => {
      const value = parameters.get(name);
      return value !== null && test(value);
    });
  };
}
