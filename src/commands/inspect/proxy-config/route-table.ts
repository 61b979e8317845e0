// proxy-config route: filters, order and columns of istioctl.
import { formatTable } from "../../../cli/table.ts";
import { compareKeys, describeOrigin, field, items, text, type Json } from "./envoy-json.ts";
import { describeRouteMatch } from "./route-match.ts";

const SHOWN_DOMAINS = 2;

/** By name, names that are ports by their number. */
export function selectRoutes(routes: readonly Json[], name: string | undefined): Json[] {
  return routes
    .filter((route) => name === undefined || text(route, "name") === name)
    .map((route) => ({ route, key: sortKey(text(route, "name")) }))
    .sort((a, b) => compareKeys(a.key, b.key))
    .map((each) => each.route);
}

function sortKey(name: string): (string | number)[] {
  return /^\d+$/.test(name) ? [1, Number(name), name] : [name === "" ? 0 : 2, 0, name];
}

export function routeTable(routes: readonly Json[], verbose: boolean, width?: number): string {
  if (!verbose) {
    const rows = routes.map((route) => [text(route, "name"), String(items(route, "virtualHosts").length)]);
    return formatTable(["NAME", "VIRTUAL HOSTS"], rows, { width });
  }
  const rows = routes.flatMap((route) => {
    const name = text(route, "name");
    const hosts = items(route, "virtualHosts");
    if (hosts.length === 0) return [[name, "", "", "/*", "404"]];
    return hosts.flatMap((host) => hostRows(name, host));
  });
  return formatTable(["NAME", "VHOST NAME", "DOMAINS", "MATCH", "VIRTUAL SERVICE"], rows, { width });
}

function hostRows(name: string, host: Json): string[][] {
  const place = [name, text(host, "name"), describeDomains(items(host, "domains").map(String))];
  const routes = items(host, "routes");
  if (routes.length === 0) return [[...place, "/*", "404"]];
  return (
    routes
      // What lets everything else through stands in every route table and says nothing about a service.
      .filter((route) => text(route, "route", "cluster") !== "PassthroughCluster")
      .map((route) => [...place, describeRouteMatch(field(route, "match")), describeOrigin(field(route, "metadata"))])
  );
}

/** Two domains without port at most, and how many more there are. */
export function describeDomains(domains: readonly string[]): string {
  if (domains.length <= 1) return domains[0] ?? "";
  const plain = domains.filter((domain) => !/:(\d+|\*)$/.test(domain));
  if (plain.length === 0) return domains[0]!;
  const shown = plain.slice(0, SHOWN_DOMAINS).join(", ");
  return plain.length > SHOWN_DOMAINS ? `${shown} + ${plain.length - SHOWN_DOMAINS} more...` : shown;
}
