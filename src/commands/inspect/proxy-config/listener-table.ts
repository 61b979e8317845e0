// proxy-config listener: filters, order and columns of istioctl; what a filter chain matches and where it leads.
import { formatTable } from "../../../cli/table.ts";
import { compareKeys, field, isObject, items, readAddress, text, type Json } from "./envoy-json.ts";
import { describeInlineRoutes, onlyCluster } from "./route-match.ts";

export interface ListenerFilter {
  readonly address?: string;
  readonly port?: number;
  /** HTTP, TCP, HTTP+TCP or UNKNOWN. */
  readonly type?: string;
}

const MAX_RANGES = 4;
const HTTP_MANAGER = /(^envoy\.http_connection_manager$|http_connection_manager)/;
const TCP_PROXY = /(^envoy\.tcp_proxy$|tcp_proxy)/;

// ALPN tokens by which Istio's inbound chains tell traffic apart, and istioctl's names for their sets. The first set that
// holds all tokens of a chain names it; proxies offer different parts of a set.
const KNOWN_ALPN: readonly (readonly [string, ReadonlySet<string>])[] = [
  ["HTTP", new Set(["http/1.0", "http/1.1", "h2c"])],
  ["TCP TLS", new Set(["istio", "istio-peer-exchange"])],
  ["HTTP TLS", new Set(["http/1.0", "http/1.1", "h2c", "meshctl/1", "istio-http/1.0", "istio-http/1.1", "istio-h2"])],
  ["Istio HTTP Plain", new Set(["istio", "meshctl/1", "istio-http/1.0", "istio-http/1.1", "istio-h2"])],
];

export function selectListeners(listeners: readonly Json[], filter: ListenerFilter): Json[] {
  return listeners
    .filter((listener) => {
      const addresses = addressesOf(listener);
      if (filter.address !== undefined && !addresses.some((each) => each.address === filter.address)) return false;
      if (filter.port !== undefined && !addresses.some((each) => each.port === filter.port)) return false;
      return filter.type === undefined || listenerType(listener) === filter.type;
    })
    .map((listener) => {
      const [first] = addressesOf(listener);
      return { listener, key: [first!.port, first!.address, listenerType(listener), text(listener, "name")] };
    })
    .sort((a, b) => compareKeys(a.key, b.key))
    .map((each) => each.listener);
}

function addressesOf(listener: Json) {
  return [field(listener, "address"), ...items(listener, "additionalAddresses").map((each) => field(each, "address"))].map(readAddress);
}

function chainsOf(listener: Json): Json[] {
  const last = field(listener, "defaultFilterChain");
  return isObject(last) ? [...items(listener, "filterChains"), last] : [...items(listener, "filterChains")];
}

/** Filters are told apart by their configuration's type: their names are anyone's. */
function kindOf(filter: Json): "http" | "tcp" | "other" {
  const type = `${text(filter, "typedConfig", "@type")} ${text(filter, "name")}`;
  if (type.includes("HttpConnectionManager") || HTTP_MANAGER.test(type)) return "http";
  return type.includes("TcpProxy") || TCP_PROXY.test(type) ? "tcp" : "other";
}

export function listenerType(listener: Json): string {
  const kinds = new Set(chainsOf(listener).flatMap((chain) => items(chain, "filters").map(kindOf)));
  if (kinds.has("http")) return kinds.has("tcp") ? "HTTP+TCP" : "HTTP";
  return kinds.has("tcp") ? "TCP" : "UNKNOWN";
}

export function listenerTable(listeners: readonly Json[], verbose: boolean, width?: number): string {
  const rows = listeners.flatMap((listener) => {
    const addresses = addressesOf(listener);
    const place = [addresses.map((each) => each.address).join(","), String(addresses[0]!.port)];
    if (!verbose) return [[...place, listenerType(listener)]];
    const chains = chainsOf(listener).map(
      (chain) => [describeMatch(field(chain, "filterChainMatch")), describeDestination(chain)] as const,
    );
    // As istioctl: by destination, backwards, so that routes stand above clusters.
    chains.sort((a, b) => (a[1] === b[1] ? 0 : a[1] < b[1] ? 1 : -1));
    return chains.map((chain) => [...place, ...chain]);
  });
  return formatTable(verbose ? ["ADDRESSES", "PORT", "MATCH", "DESTINATION"] : ["ADDRESSES", "PORT", "TYPE"], rows, { width });
}

/** `SNI: a,b; Trans: tls; App: HTTP TLS; Addr: 10.0.0.1/32:80`, or `ALL`. */
export function describeMatch(match: Json | undefined): string {
  const parts: string[] = [];
  const names = items(match, "serverNames").map(String);
  if (names.length > 0) parts.push(`SNI: ${names.join(",")}`);
  const transport = text(match, "transportProtocol");
  if (transport !== "") parts.push(`Trans: ${transport}`);
  const alpn = items(match, "applicationProtocols").map(String);
  if (alpn.length > 0) parts.push(`App: ${describeAlpn(alpn)}`);
  const port = text(match, "destinationPort");
  const ranges = items(match, "prefixRanges").map((range) => `${text(range, "addressPrefix")}/${text(range, "prefixLen") || "0"}`);
  if (ranges.length > 0) parts.push(`Addr: ${firstOf(ranges)}${port === "" ? "" : `:${port}`}`);
  else if (port !== "") parts.push(`Addr: *:${port}`);
  return parts.length === 0 ? "ALL" : parts.join("; ");
}

/** A chain that is for every service on a port has as many addresses as there are services. */
function firstOf(ranges: readonly string[]): string {
  if (ranges.length <= MAX_RANGES) return ranges.join(",");
  return `${ranges.slice(0, MAX_RANGES - 1).join(",")} and ${ranges.length - MAX_RANGES + 1} more`;
}

function describeAlpn(tokens: readonly string[]): string {
  const known = KNOWN_ALPN.find(([, set]) => tokens.every((token) => set.has(token)));
  return known === undefined ? tokens.join(",") : known[0];
}

function describeDestination(chain: Json): string {
  for (const filter of items(chain, "filters")) {
    const kind = kindOf(filter);
    const config = field(filter, "typedConfig");
    if (kind === "http") {
      const routes = field(config, "routeConfig");
      const rds = text(config, "rds", "routeConfigName");
      if (rds !== "") return `Route: ${rds}`;
      if (routes === undefined) return "HTTP";
      const cluster = onlyCluster(routes);
      return cluster === undefined ? `Inline Route: ${describeInlineRoutes(routes)}` : describeCluster(cluster);
    }
    if (kind === "tcp") {
      const weighted = items(config, "weightedClusters", "clusters");
      if (weighted.length === 0) return describeCluster(text(config, "cluster"));
      return `Cluster: ${weighted.map((each) => `${text(each, "name")} (${text(each, "weight")})`).join(", ")}`;
    }
  }
  return "Non-HTTP/Non-TCP";
}

/** PassthroughCluster, BlackHoleCluster and their like say themselves what they are. */
function describeCluster(name: string): string {
  return name.includes("Cluster") ? name : `Cluster: ${name}`;
}
