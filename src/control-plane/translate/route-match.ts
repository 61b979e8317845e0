// HTTPMatchRequest → Envoy's RouteMatch, and whether a match can concern this proxy and this port at all.
import { create } from "@bufbuild/protobuf";
import {
  HeaderMatcherSchema,
  QueryParameterMatcherSchema,
  RouteMatchSchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import type { HeaderMatcher, QueryParameterMatcher, RouteMatch } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { StringMatcherSchema } from "../../xds/gen/envoy/type/matcher/v3/string_pb.ts";
import type { StringMatcher } from "../../xds/gen/envoy/type/matcher/v3/string_pb.ts";
import type { StringMatch } from "../../mesh-api/fields.ts";
import type { HttpMatch } from "../../mesh-api/virtual-service.ts";
import { selects } from "../registry/peer-authentication.ts";
import type { OutboundScope } from "./outbound-scope.ts";
import { exactMatcher, prefixMatcher } from "./tls-contexts.ts";

interface SourceMatch {
  readonly port?: number | undefined;
  readonly sourceLabels?: Readonly<Record<string, string>> | undefined;
  readonly sourceNamespace?: string | undefined;
}

/** The conditions on the client are decided here, not in the sidecar. */
export function concerns(match: SourceMatch, scope: OutboundScope, port: number): boolean {
  return (
    (match.port === undefined || match.port === port) &&
    (match.sourceNamespace === undefined || match.sourceNamespace === scope.namespace) &&
    selects(match.sourceLabels ?? {}, scope.labels)
  );
}

/** @param match undefined: any request. */
export function toRouteMatch(match: HttpMatch | undefined): RouteMatch {
  const headers: HeaderMatcher[] = [];
  for (const [field, name] of [
    ["method", ":method"],
    ["authority", ":authority"],
    ["scheme", ":scheme"],
  ] as const) {
    const wanted = match?.[field];
    if (wanted !== undefined) headers.push(toHeaderMatcher(name, wanted, false));
  }
  for (const [name, wanted] of Object.entries(match?.headers ?? {})) headers.push(toHeaderMatcher(name.toLowerCase(), wanted, false));
  for (const [name, wanted] of Object.entries(match?.withoutHeaders ?? {})) headers.push(toHeaderMatcher(name.toLowerCase(), wanted, true));
  return create(RouteMatchSchema, {
    pathSpecifier: toPath(match?.uri),
    // Envoy takes the flag for prefixes and exact paths only.
    ...(match?.ignoreUriCase === true && match.uri?.regex === undefined ? { caseSensitive: false } : {}),
    headers,
    queryParameters: Object.entries(match?.queryParams ?? {}).map(([name, wanted]) => toQueryMatcher(name, wanted)),
  });
}

function toPath(uri: StringMatch | undefined): RouteMatch["pathSpecifier"] {
  if (uri?.exact !== undefined) return { case: "path", value: uri.exact };
  if (uri?.regex !== undefined) return { case: "safeRegex", value: regexMatcher(uri.regex) };
  return { case: "prefix", value: uri?.prefix ?? "/" };
}

function regexMatcher(regex: string) {
  const matcher = create(StringMatcherSchema, { matchPattern: { case: "safeRegex", value: { regex } } });
  if (matcher.matchPattern.case !== "safeRegex") throw new Error("unreachable");
  return matcher.matchPattern.value;
}

/** undefined: presence is all that is asked for. A regex of `*` means that too. */
function toStringMatcher(match: StringMatch): StringMatcher | undefined {
  if (match.exact !== undefined) return exactMatcher(match.exact);
  if (match.prefix !== undefined) return prefixMatcher(match.prefix);
  if (match.regex !== undefined && match.regex !== "*") {
    return create(StringMatcherSchema, { matchPattern: { case: "safeRegex", value: { regex: match.regex } } });
  }
  return undefined;
}

function toHeaderMatcher(name: string, match: StringMatch, invert: boolean): HeaderMatcher {
  const value = toStringMatcher(match);
  return create(HeaderMatcherSchema, {
    name,
    headerMatchSpecifier: value === undefined ? { case: "presentMatch", value: true } : { case: "stringMatch", value },
    invertMatch: invert,
    // withoutHeaders: an absent header counts as an empty one, which matches the negation.
    treatMissingHeaderAsEmpty: invert && value !== undefined,
  });
}

function toQueryMatcher(name: string, match: StringMatch): QueryParameterMatcher {
  const value = toStringMatcher(match);
  return create(QueryParameterMatcherSchema, {
    name,
    queryParameterMatchSpecifier: value === undefined ? { case: "presentMatch", value: true } : { case: "stringMatch", value },
  });
}
