// Listener, from LDS or the bootstrap → ListenerConfig.
import type { Result } from "../../common/result.ts";
import { TrafficDirection } from "../../xds/gen/envoy/config/core/v3/base_pb.ts";
import type { Listener } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { AdditionalAddressSchema, ListenerSchema } from "../../xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { decodeFilterChain } from "./decode-filter-chain.ts";
import { decodeSocketOptions } from "./decode-keepalive.ts";
import { decodeListenerFilters } from "./decode-listener-filters.ts";
import { durationMs, socketAddress } from "./decode-values.ts";
import type { Decoded, Decoding } from "./decoding.ts";
import { decodeResource, fieldRules, join } from "./decoding.ts";
import type { FilterChainConfig, ListenerAddress, ListenerConfig } from "./listener-config.ts";
import { ALL_PORTS } from "./port-ranges.ts";

const LISTENER = fieldRules(
  ListenerSchema,
  [
    "name",
    "address",
    "additional_addresses",
    "stat_prefix",
    "filter_chains",
    "use_original_dst",
    "default_filter_chain",
    "deprecated_v1",
    "listener_filters",
    "listener_filters_timeout",
    "continue_on_listener_filters_timeout",
    "transparent",
    "freebind",
    "traffic_direction",
    "bind_to_port",
    "socket_options",
    "per_connection_buffer_limit_bytes",
  ],
  {
    metadata: "metadata is for other readers",
    drain_type: "a failed health check by itself drains no listener here",
    connection_balance_config: "how connections are spread over threads",
    reuse_port: "how connections are spread over threads",
    enable_reuse_port: "how connections are spread over threads",
    tcp_backlog_size: "a hint to the kernel",
    max_connections_to_accept_per_socket_event: "a batch size",
    ignore_global_conn_limit: "there is no such limit",
    bypass_overload_manager: "there is no overload manager",
  },
);
// Of per_connection_buffer_limit_bytes. What waits to be written has a limit of our own; this one is for bodies that are
// kept for another try.
const DEFAULT_BUFFER_LIMIT_BYTES = 1024 * 1024;
const ADDITIONAL = fieldRules(AdditionalAddressSchema, ["address"]);
export function decodeListener(input: Uint8Array | Listener, path = ""): Result<Decoded<ListenerConfig>> {
  return decodeResource(ListenerSchema, input, path, (decoding, listener) => toConfig(decoding, listener, path));
}

function toConfig(decoding: Decoding, listener: Listener, path: string): ListenerConfig {
  decoding.check(LISTENER, listener, path);
  for (const field of ["transparent", "freebind"] as const) {
    if (listener[field] === true) decoding.unsupported(join(path, field));
  }
  const address = toAddress(socketAddress(decoding, listener.address, join(path, "address"), { names: false }));
  const inspectors = decodeListenerFilters(decoding, listener.listenerFilters, join(path, "listener_filters"));
  const direction =
    listener.trafficDirection === TrafficDirection.INBOUND
      ? "inbound"
      : listener.trafficDirection === TrafficDirection.OUTBOUND
        ? "outbound"
        : "unspecified";
  const reporter = direction === "inbound" ? "destination" : direction === "outbound" ? "source" : undefined;
  const facts = { reporter, bufferLimitBytes: listener.perConnectionBufferLimitBytes ?? DEFAULT_BUFFER_LIMIT_BYTES } as const;
  const filterChains = listener.filterChains.flatMap(
    (chain, index) => decodeFilterChain(decoding, chain, `${join(path, "filter_chains")}[${index}]`, facts) ?? [],
  );
  const defaultFilterChain =
    listener.defaultFilterChain === undefined
      ? undefined
      : decodeFilterChain(decoding, listener.defaultFilterChain, join(path, "default_filter_chain"), facts);
  if (listener.filterChains.length === 0 && listener.defaultFilterChain === undefined)
    decoding.problem(join(path, "filter_chains"), "must not be empty");
  checkDistinct(decoding, filterChains, join(path, "filter_chains"));
  const needsTlsInspector = filterChains.some(
    ({ match }) => match.transportProtocol !== undefined || match.serverNames.length > 0 || match.applicationProtocols.length > 0,
  );
  if (needsTlsInspector && !inspectors.has("tlsInspector")) {
    decoding.warning(
      join(path, "listener_filters"),
      "filter chains match on TLS properties: envoy.filters.listener.tls_inspector is added",
    );
  }
  const label = `${address.host}_${address.port}`;
  const useOriginalDst = listener.useOriginalDst ?? false;
  return {
    name: listener.name === "" ? label : listener.name,
    address,
    additionalAddresses: listener.additionalAddresses.map((each, index) => {
      const inner = `${join(path, "additional_addresses")}[${index}]`;
      decoding.check(ADDITIONAL, each, inner);
      return toAddress(socketAddress(decoding, each.address, join(inner, "address"), { names: false }));
    }),
    bindToPort: (listener.bindToPort ?? true) && (listener.deprecatedV1?.bindToPort ?? true),
    useOriginalDst,
    // Envoy adds the filter by itself when use_original_dst asks for it.
    restoreOriginalDst: useOriginalDst || inspectors.has("originalDst"),
    tlsInspectorPorts: inspectors.get("tlsInspector") ?? (needsTlsInspector ? ALL_PORTS : []),
    httpInspectorPorts: inspectors.get("httpInspector") ?? [],
    listenerFiltersTimeoutMs: durationMs(decoding, listener.listenerFiltersTimeout, join(path, "listener_filters_timeout"), 15_000),
    continueOnListenerFiltersTimeout: listener.continueOnListenerFiltersTimeout,
    direction,
    tcpKeepalive: decodeSocketOptions(decoding, listener.socketOptions, join(path, "socket_options")),
    filterChains,
    defaultFilterChain,
    statPrefix: listener.statPrefix === "" ? label : listener.statPrefix,
  };
}

function toAddress(address: ReturnType<typeof socketAddress>): ListenerAddress {
  return address ?? { host: "", port: 0 };
}

/** Two chains that take the very same connections: Envoy refuses them, since one could never be reached. */
function checkDistinct(decoding: Decoding, chains: readonly FilterChainConfig[], path: string): void {
  const seen = new Map<string, number>();
  chains.forEach((chain, index) => {
    const key = JSON.stringify(chain.match);
    const other = seen.get(key);
    if (other !== undefined) decoding.problem(`${path}[${index}].filter_chain_match`, `the same as that of filter_chains[${other}]`);
    else seen.set(key, index);
  });
}
