// A data plane in the test's own process, configured by an Envoy bootstrap as `meshctl proxy --bootstrap` is.
import { parseBootstrap } from "../../src/proxy-runtime/config/bootstrap.ts";
import type { ProxyConfig } from "../../src/proxy-runtime/config/proxy-config.ts";
import { DataPlane } from "../../src/proxy-runtime/data-plane.ts";
import { StatsStore } from "../../src/proxy-runtime/telemetry/stats-store.ts";
import { UNKNOWN_WORKLOAD } from "../../src/proxy-runtime/telemetry/workload-facts.ts";

export type Json = Record<string, unknown>;

export interface TestPlane {
  readonly plane: DataPlane;
  readonly config: ProxyConfig;
  /** Why connections were refused, newest last. */
  readonly refusals: readonly string[];
  /** What was logged beside messages, newest last. */
  readonly logs: readonly Readonly<Record<string, unknown>>[];
  /** Port of a listener, bound to port 0. */
  readonly port: (listener?: string) => number;
  /** A counter or gauge; 0 where it does not exist. */
  stat(name: string): number;
  /** Sum over the series of a Prometheus name that have these labels. */
  metric(promName: string, labels?: Readonly<Record<string, string>>): number;
  /** Makes another bootstrap's static resources the current configuration. */
  apply(bootstrap: Json): Promise<void>;
  stop(): Promise<void>;
}

export async function startPlane(bootstrap: Json): Promise<TestPlane> {
  const stats = new StatsStore();
  const refusals: string[] = [];
  const logs: Readonly<Record<string, unknown>>[] = [];
  const plane = new DataPlane({
    worker: { index: 0, count: 1 },
    stats,
    workload: UNKNOWN_WORKLOAD,
    onLog: (_level, _message, fields) => {
      logs.push(fields);
      refusals.push(String(fields["reason"]));
    },
  });
  const read = async (from: Json): Promise<ProxyConfig> => (await parseBootstrap(JSON.stringify(from), "test.json")).statics;
  const config = await read(bootstrap);
  const failures = await plane.apply(config);
  if (failures.length > 0) throw failures[0]!.error;
  return {
    plane,
    config,
    refusals,
    logs,
    port: (name = "main") => {
      const found = plane.listenerStatuses().find((each) => each.name === name);
      if (found === undefined) throw new Error(`no listener ${name}`);
      return found.port;
    },
    stat(name) {
      const series = stats.find(name);
      return series === undefined ? 0 : stats.page[series.slot]!;
    },
    metric(promName, labels = {}) {
      let sum = 0;
      for (const { promName: name, tags, slot } of stats.series()) {
        const has = new Map(tags);
        if (name === promName && Object.entries(labels).every(([key, value]) => has.get(key) === value)) sum += stats.page[slot]!;
      }
      return sum;
    },
    async apply(next) {
      await plane.apply(await read(next));
    },
    stop: () => plane.stop(),
  };
}

const EXTENSIONS = "type.googleapis.com/envoy.extensions";

export function address(port: number, ip = "127.0.0.1"): Json {
  return { socket_address: { address: ip, port_value: port } };
}

/** A static cluster on loopback ports; more fields of the cluster as they are in Envoy. */
export function cluster(name: string, ports: readonly number[], more: Json = {}): Json {
  return {
    name,
    type: "STATIC",
    connect_timeout: "2s",
    load_assignment: { cluster_name: name, endpoints: [{ lb_endpoints: ports.map((port) => ({ endpoint: { address: address(port) } })) }] },
    ...more,
  };
}

/** A connection manager filter with one virtual host `*` of these routes. */
export function httpFilter(routes: readonly Json[], more: Json = {}, table: Json = {}): Json {
  return {
    name: "envoy.filters.network.http_connection_manager",
    typed_config: {
      "@type": `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
      stat_prefix: "test",
      route_config: { name: "inline", virtual_hosts: [{ name: "all", domains: ["*"], routes }], ...table },
      http_filters: [{ name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.filters.http.router.v3.Router` } }],
      ...more,
    },
  };
}

export function tcpFilter(clusterName: string, more: Json = {}): Json {
  return {
    name: "envoy.filters.network.tcp_proxy",
    typed_config: { "@type": `${EXTENSIONS}.filters.network.tcp_proxy.v3.TcpProxy`, stat_prefix: "test", cluster: clusterName, ...more },
  };
}

export function listener(chains: readonly Json[], more: Json = {}): Json {
  return { name: "main", address: address(0), filter_chains: chains, ...more };
}

/** A route of every path to a cluster. */
export function toCluster(name: string, action: Json = {}, more: Json = {}): Json {
  return { match: { prefix: "/" }, route: { cluster: name, ...action }, ...more };
}

export function staticResources(listeners: readonly Json[], clusters: readonly Json[], secrets: readonly Json[] = []): Json {
  return { node: { id: "test", cluster: "test" }, static_resources: { listeners, clusters, secrets } };
}

/** One plain HTTP listener whose requests all go to a cluster of these ports. */
export function plainHop(ports: readonly number[], options: { manager?: Json; action?: Json; cluster?: Json; route?: Json } = {}): Json {
  return staticResources(
    [listener([{ filters: [httpFilter([toCluster("up", options.action, options.route)], options.manager)] }])],
    [cluster("up", ports, options.cluster)],
  );
}

export function accessLog(path: string): Json {
  return {
    access_log: [
      { name: "envoy.access_loggers.file", typed_config: { "@type": `${EXTENSIONS}.access_loggers.file.v3.FileAccessLog`, path } },
    ],
  };
}

export function tlsSocket(side: "Downstream" | "Upstream", context: Json): Json {
  return {
    transport_socket: {
      name: "envoy.transport_sockets.tls",
      typed_config: { "@type": `${EXTENSIONS}.transport_sockets.tls.v3.${side}TlsContext`, ...context },
    },
  };
}

export function tlsInspector(): Json {
  return {
    name: "envoy.filters.listener.tls_inspector",
    typed_config: { "@type": `${EXTENSIONS}.filters.listener.tls_inspector.v3.TlsInspector` },
  };
}

export function httpInspector(): Json {
  return {
    name: "envoy.filters.listener.http_inspector",
    typed_config: { "@type": `${EXTENSIONS}.filters.listener.http_inspector.v3.HttpInspector` },
  };
}
