// Does a request fit a route? Envoy's rules; path matching leaves the query out.
import type { HeaderMatch, PathMatch, QueryMatch, RouteMatch } from "../config/route-config.ts";
import { compileRegex } from "../config/regex.ts";
import { isGrpc } from "../http/grpc/content-type.ts";
import { UNKNOWN, headerIdOf } from "../http/header-id.ts";
import type { RequestHead } from "../http/stream.ts";
import { compileStringMatch } from "../transport/san-match.ts";

export type RequestPredicate = (head: RequestHead, path: string) => boolean;

/** A predicate over the request and its path without query. */
export function compileRouteMatch(match: RouteMatch): RequestPredicate {
  const tests: RequestPredicate[] = [compilePath(match.path)];
  for (const header of match.headers) tests.push(compileHeader(header));
  if (match.query.length > 0) tests.push(compileQuery(match.query));
  if (match.grpcOnly) tests.push((head) => isGrpc(head.headers));
  const [first, second] = tests as [RequestPredicate, RequestPredicate | undefined];
  if (tests.length === 1) return first;
  if (tests.length === 2) return (head, path) => first(head, path) && second!(head, path);
  return (head, path) => tests.every((test) => test(head, path));
}

function compilePath(match: PathMatch): RequestPredicate {
  const { kind, value, caseSensitive } = match;
  if (kind === "regex") {
    const matches = compileRegex(value);
    return (_head, path) => matches(path);
  }
  // A table looks at such routes for CONNECT only, and for CONNECT at no others.
  if (kind === "connect" || (kind === "prefix" && value === "/")) return () => true;
  if (caseSensitive) return comparePath(kind, value);
  const compare = comparePath(kind, value.toLowerCase());
  return (head, path) => compare(head, path.toLowerCase());
}

function comparePath(kind: "prefix" | "exact" | "segmentPrefix", value: string): RequestPredicate {
  switch (kind) {
    case "exact":
      return (_head, path) => path === value;
    case "prefix":
      return (_head, path) => path.startsWith(value);
    case "segmentPrefix":
      return (_head, path) => path.startsWith(value) && (path.length === value.length || path[value.length] === "/");
  }
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
