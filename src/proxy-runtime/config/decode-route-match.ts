// RouteMatch → what a request must look like.
import type {
  HeaderMatcher,
  QueryParameterMatcher,
  RouteMatch as RouteMatchMessage,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { FractionalPercent_DenominatorType as Denominator } from "../../xds/gen/envoy/type/v3/percent_pb.ts";
import { checkRegex, stringMatch } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";
import type { HeaderMatch, PathMatch, QueryMatch, RouteMatch } from "./route-config.ts";
import type { StringMatch } from "./tls-config.ts";

const MATCH = fieldRules(RouteMatchSchema, [
  "prefix",
  "path",
  "safe_regex",
  "path_separated_prefix",
  "connect_matcher",
  "case_sensitive",
  "runtime_fraction",
  "headers",
  "query_parameters",
  "grpc",
]);
const HEADER = fieldRules(HeaderMatcherSchema, [
  "name",
  "exact_match",
  "safe_regex_match",
  "range_match",
  "present_match",
  "prefix_match",
  "suffix_match",
  "contains_match",
  "string_match",
  "invert_match",
  "treat_missing_header_as_empty",
]);
const QUERY = fieldRules(QueryParameterMatcherSchema, ["name", "string_match", "present_match"]);

export function decodeRouteMatch(decoding: Decoding, match: RouteMatchMessage | undefined, path: string): RouteMatch {
  if (match === undefined) {
    decoding.problem(path, "missing");
    return { path: { kind: "prefix", value: "/", caseSensitive: true }, headers: [], query: [], grpcOnly: false };
  }
  decoding.check(MATCH, match, path);
  const fraction = match.runtimeFraction?.defaultValue;
  if (fraction !== undefined && fraction.numerator < denominator(fraction.denominator)) {
    decoding.unsupported(join(path, "runtime_fraction"), "less than 100 percent; use weighted_clusters");
  }
  return {
    path: decodePath(decoding, match, path),
    headers: match.headers.map((each, index) => decodeHeaderMatch(decoding, each, `${join(path, "headers")}[${index}]`)),
    query: match.queryParameters.map((each, index) => decodeQueryMatch(decoding, each, `${join(path, "query_parameters")}[${index}]`)),
    grpcOnly: match.grpc !== undefined,
  };
}

function denominator(type: Denominator): number {
  return type === Denominator.HUNDRED ? 100 : type === Denominator.TEN_THOUSAND ? 10_000 : 1_000_000;
}

function decodePath(decoding: Decoding, match: RouteMatchMessage, path: string): PathMatch {
  const caseSensitive = match.caseSensitive ?? true;
  const specifier = match.pathSpecifier;
  switch (specifier.case) {
    case "prefix":
      return { kind: "prefix", value: specifier.value, caseSensitive };
    case "path":
      return { kind: "exact", value: specifier.value, caseSensitive };
    case "pathSeparatedPrefix":
      // The validation rule of the .proto: starts with a slash, does not end in one, no query, no fragment.
      if (!/^\/[^?#]*[^?#/]$/.test(specifier.value)) {
        decoding.problem(join(path, "path_separated_prefix"), "must start with / and not end in it, without ? and #");
      }
      return { kind: "segmentPrefix", value: specifier.value, caseSensitive };
    case "safeRegex":
      checkRegex(decoding, specifier.value.regex, join(path, "safe_regex.regex"));
      if (!caseSensitive) decoding.problem(join(path, "case_sensitive"), "has no effect on safe_regex; write (?i) into the expression");
      return { kind: "regex", value: specifier.value.regex, caseSensitive: true };
    case "connectMatcher":
      return { kind: "connect", value: "", caseSensitive: true };
    default:
      if (specifier.case === undefined)
        decoding.problem(path, "needs one of prefix, path, safe_regex, path_separated_prefix, connect_matcher");
      return { kind: "prefix", value: "/", caseSensitive };
  }
}

/** Also used for what a header matcher means elsewhere. */
export function decodeHeaderMatch(decoding: Decoding, matcher: HeaderMatcher, path: string): HeaderMatch {
  decoding.check(HEADER, matcher, path);
  if (matcher.name === "") decoding.problem(join(path, "name"), "missing");
  const name = matcher.name.toLowerCase();
  const header = {
    name,
    match: undefined,
    range: undefined,
    invert: matcher.invertMatch,
    treatMissingAsEmpty: matcher.treatMissingHeaderAsEmpty,
  };
  const specifier = matcher.headerMatchSpecifier;
  switch (specifier.case) {
    case "presentMatch":
      return { ...header, invert: specifier.value ? header.invert : !header.invert };
    case "rangeMatch":
      return { ...header, range: { start: Number(specifier.value.start), end: Number(specifier.value.end) } };
    case "stringMatch":
      return { ...header, match: stringMatch(decoding, specifier.value, join(path, "string_match")) };
    case "safeRegexMatch":
      checkRegex(decoding, specifier.value.regex, join(path, "safe_regex_match.regex"));
      return { ...header, match: { kind: "regex", value: specifier.value.regex, ignoreCase: false } };
    case "exactMatch":
      return { ...header, match: plain("exact", specifier.value) };
    case "prefixMatch":
      return { ...header, match: plain("prefix", specifier.value) };
    case "suffixMatch":
      return { ...header, match: plain("suffix", specifier.value) };
    case "containsMatch":
      return { ...header, match: plain("contains", specifier.value) };
    default:
      return header;
  }
}

function plain(kind: "exact" | "prefix" | "suffix" | "contains", value: string): StringMatch {
  return { kind, value, ignoreCase: false };
}

function decodeQueryMatch(decoding: Decoding, matcher: QueryParameterMatcher, path: string): QueryMatch {
  decoding.check(QUERY, matcher, path);
  if (matcher.name === "") decoding.problem(join(path, "name"), "missing");
  const specifier = matcher.queryParameterMatchSpecifier;
  if (specifier.case === "stringMatch")
    return { name: matcher.name, match: stringMatch(decoding, specifier.value, join(path, "string_match")) };
  if (specifier.case === "presentMatch" && !specifier.value) decoding.unsupported(join(path, "present_match"), "false");
  return { name: matcher.name, match: undefined };
}
