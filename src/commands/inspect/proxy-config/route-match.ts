// What a route matches, in few words: for the tables of routes and of listeners with inline routes.
import { field, items, text, type Json } from "./envoy-json.ts";

/** `/x*` for a prefix, `PathPrefix:/x` for whole segments, the path itself, `regex …`; then conditions on headers and query. */
export function describeRouteMatch(match: Json | undefined): string {
  const parts: string[] = [];
  const prefix = text(match, "prefix");
  const segments = text(match, "pathSeparatedPrefix");
  const path = text(match, "path");
  const regex = text(match, "safeRegex", "regex");
  if (prefix !== "") parts.push(`${prefix}*`);
  if (segments !== "") parts.push(`PathPrefix:${segments}`);
  if (path !== "") parts.push(path);
  if (regex !== "") parts.push(`regex ${regex}`);
  for (const header of items(match, "headers")) parts.push(describeNamed(header));
  for (const parameter of items(match, "queryParameters")) parts.push(`?${describeNamed(parameter)}`);
  return parts.join(" ");
}

/** `name=value`, `name=prefix*`, `name=~regex`, `name` (present), each with `!` in front when inverted. */
function describeNamed(matcher: Json): string {
  const name = text(matcher, "name");
  const not = field(matcher, "invertMatch") === true ? "!" : "";
  const match = field(matcher, "stringMatch") ?? matcher;
  const exact = text(match, "exact") || text(matcher, "exactMatch");
  const prefix = text(match, "prefix") || text(matcher, "prefixMatch");
  const suffix = text(match, "suffix") || text(matcher, "suffixMatch");
  const contains = text(match, "contains") || text(matcher, "containsMatch");
  const regex = text(match, "safeRegex", "regex") || text(matcher, "safeRegexMatch", "regex");
  if (exact !== "") return `${not}${name}=${exact}`;
  if (prefix !== "") return `${not}${name}=${prefix}*`;
  if (suffix !== "") return `${not}${name}=*${suffix}`;
  if (contains !== "") return `${not}${name}=*${contains}*`;
  if (regex !== "") return `${not}${name}=~${regex}`;
  // present_match: false asks for absence, so inverting it asks for presence again.
  const isAbsence = (field(matcher, "presentMatch") === false) !== (not === "!");
  return `${isAbsence ? "!" : ""}${name}`;
}

/** Routes given inside a listener: their matches, with the domains where these are not just `*`. */
export function describeInlineRoutes(routes: Json): string {
  return items(routes, "virtualHosts")
    .map((host) => {
      const domains = items(host, "domains").map(String);
      const paths = items(host, "routes").map((route) => describeRouteMatch(field(route, "match")));
      return (domains.length === 1 && domains[0] === "*" ? "" : `${domains.join("/")} `) + paths.join(", ");
    })
    .join("; ");
}

/** The cluster that inline routes send everything to, if it is so simple. */
export function onlyCluster(routes: Json): string | undefined {
  const [host, ...otherHosts] = items(routes, "virtualHosts");
  const [route, ...otherRoutes] = items(host, "routes");
  if (otherHosts.length > 0 || otherRoutes.length > 0 || route === undefined) return undefined;
  if (text(route, "match", "prefix") !== "/" || items(route, "match", "headers").length > 0) return undefined;
  return text(route, "route", "cluster") || undefined;
}
