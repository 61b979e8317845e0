// FilterChain: which connections it takes, whether they are TLS, and the one network filter that carries them.
import type { FilterChain, FilterChainMatch as MatchMessage } from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import {
  FilterChainMatch_ConnectionSourceType as SourceType,
  FilterChainMatchSchema,
  FilterChainSchema,
  FilterSchema,
} from "../../xds/gen/envoy/config/listener/v3/listener_components_pb.ts";
import { HttpConnectionManagerSchema } from "../../xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import { TcpProxySchema } from "../../xds/gen/envoy/extensions/filters/network/tcp_proxy/v3/tcp_proxy_pb.ts";
import { decodeHttpConnectionManager, type ListenerFacts } from "./decode-http-connection-manager.ts";
import { decodeTcpProxy } from "./decode-tcp-proxy.ts";
import { decodeDownstreamTransportSocket } from "./decode-tls.ts";
import { cidr, durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import type { FilterChainConfig, FilterChainMatch } from "./listener-config.ts";

const CHAIN = fieldRules(
  FilterChainSchema,
  ["filter_chain_match", "filters", "use_proxy_proto", "transport_socket", "transport_socket_connect_timeout", "name"],
  {
    metadata: "metadata is for other readers",
    on_demand_configuration: "a chain is whole when its listener is accepted",
  },
);
const FILTER = fieldRules(FilterSchema, ["name", "typed_config"]);
const MATCH = fieldRules(FilterChainMatchSchema, [
  "destination_port",
  "prefix_ranges",
  "direct_source_prefix_ranges",
  "source_type",
  "source_prefix_ranges",
  "source_ports",
  "server_names",
  "transport_protocol",
  "application_protocols",
]);
const POSSIBLE = `${HttpConnectionManagerSchema.typeName} and ${TcpProxySchema.typeName}`;

export function decodeFilterChain(
  decoding: Decoding,
  chain: FilterChain,
  path: string,
  listener: ListenerFacts,
): FilterChainConfig | undefined {
  decoding.check(CHAIN, chain, path);
  if (chain.useProxyProto === true) decoding.unsupported(join(path, "use_proxy_proto"));
  const match = decodeMatch(decoding, chain.filterChainMatch, join(path, "filter_chain_match"));
  const tls = decodeDownstreamTransportSocket(decoding, chain.transportSocket, join(path, "transport_socket"));
  const transportSocketConnectTimeoutMs = durationMs(
    decoding,
    chain.transportSocketConnectTimeout,
    join(path, "transport_socket_connect_timeout"),
    0,
  );
  const filter = decodeNetworkFilters(decoding, chain, path, listener);
  return filter === undefined ? undefined : { name: chain.name, match, tls, filter, transportSocketConnectTimeoutMs };
}

function decodeNetworkFilters(
  decoding: Decoding,
  chain: FilterChain,
  path: string,
  listener: ListenerFacts,
): FilterChainConfig["filter"] | undefined {
  let terminal: FilterChainConfig["filter"] | undefined;
  chain.filters.forEach((filter, index) => {
    const inner = `${join(path, "filters")}[${index}]`;
    decoding.check(FILTER, filter, inner);
    const any = filter.configType.case === "typedConfig" ? filter.configType.value : undefined;
    if (terminal !== undefined) decoding.problem(inner, "stands behind the filter that ends the chain");
    if (any !== undefined && typeName(any) === TcpProxySchema.typeName) {
      const message = decoding.unpack(any, TcpProxySchema, join(inner, "typed_config"), POSSIBLE);
      if (message !== undefined) terminal = decodeTcpProxy(decoding, message, join(inner, "typed_config"), listener.reporter);
      return;
    }
    const message = decoding.unpack(any, HttpConnectionManagerSchema, join(inner, "typed_config"), POSSIBLE);
    if (message !== undefined) terminal = decodeHttpConnectionManager(decoding, message, join(inner, "typed_config"), listener);
  });
  if (chain.filters.length === 0) decoding.problem(join(path, "filters"), `must not be empty; meshctl supports ${POSSIBLE}`);
  return terminal;
}

const MATCH_ALL: FilterChainMatch = {
  destinationPort: undefined,
  destinationRanges: [],
  serverNames: [],
  transportProtocol: undefined,
  applicationProtocols: [],
  directSourceRanges: [],
  sourceRanges: [],
  sourcePorts: [],
};

function decodeMatch(decoding: Decoding, match: MatchMessage | undefined, path: string): FilterChainMatch {
  if (match === undefined) return MATCH_ALL;
  decoding.check(MATCH, match, path);
  if (match.sourceType !== SourceType.ANY) decoding.unsupported(join(path, "source_type"), "only ANY");
  const ranges = (list: MatchMessage["prefixRanges"], field: string): FilterChainMatch["sourceRanges"] =>
    list.map((range, index) => cidr(decoding, range, `${join(path, field)}[${index}]`));
  match.serverNames.forEach((name, index) => {
    if (name.includes("*") && !/^\*\.[^*]+$/.test(name))
      decoding.problem(`${join(path, "server_names")}[${index}]`, `use a whole name or *.suffix, not ${JSON.stringify(name)}`);
  });
  const transport = match.transportProtocol;
  if (transport !== "" && transport !== "tls" && transport !== "raw_buffer") {
    decoding.unsupported(join(path, "transport_protocol"), `${JSON.stringify(transport)}; use tls or raw_buffer`);
  }
  const port = match.destinationPort;
  if (port !== undefined && (port < 1 || port > 65535)) decoding.problem(join(path, "destination_port"), `must be 1 to 65535, not ${port}`);
  return {
    destinationPort: port,
    destinationRanges: ranges(match.prefixRanges, "prefix_ranges"),
    serverNames: match.serverNames.map((name) => name.toLowerCase()),
    transportProtocol: transport === "tls" || transport === "raw_buffer" ? transport : undefined,
    applicationProtocols: match.applicationProtocols,
    directSourceRanges: ranges(match.directSourcePrefixRanges, "direct_source_prefix_ranges"),
    sourceRanges: ranges(match.sourcePrefixRanges, "source_prefix_ranges"),
    sourcePorts: match.sourcePorts,
  };
}
