// A data plane that only answers admin: one EDS cluster with two hosts, a static one, listeners, certificates and
// resources that can be changed. Orders it is given are noted in `orders`.
import type { ClusterConfig } from "../../src/proxy-runtime/config/cluster-config.ts";
import type { EndpointConfig } from "../../src/proxy-runtime/config/endpoint-config.ts";
import type { ResourceRecord } from "../../src/proxy-runtime/config/resource-record.ts";
import type { CertificateStatus, DataPlaneView, HostStatus, ServerState } from "../../src/proxy-runtime/admin/data-plane-view.ts";

export interface FakeDataPlane extends DataPlaneView {
  serverState: ServerState;
  readonly records: ResourceRecord[];
  readonly certificateList: CertificateStatus[];
  readonly orders: string[];
}

const LIMITS = { maxConnections: 1024, maxPendingRequests: 1024, maxRequests: 1024, maxRetries: 3, retryBudget: undefined };

function cluster(name: string, type: ClusterConfig["type"]): ClusterConfig {
  const fields: Partial<ClusterConfig> = {
    name,
    statName: "",
    type,
    edsServiceName: type === "eds" ? name : "",
    circuitBreakers: { default: LIMITS, high: LIMITS },
  };
  return fields as ClusterConfig;
}

function host(ip: string, port: number, fields: Partial<HostStatus> = {}, endpoint: Partial<EndpointConfig> = {}): HostStatus {
  return {
    address: ip.includes(":") ? `[${ip}]:${port}` : `${ip}:${port}`,
    ip,
    port,
    endpoint: {
      address: ip,
      port,
      hostname: "",
      weight: 1,
      health: "healthy",
      transportSocketMatch: {},
      workload: undefined,
      ...endpoint,
    },
    locality: { region: "r1", zone: "", subZone: "" },
    priority: 0,
    failedOutlierCheck: false,
    cxActive: 1,
    cxConnectFail: 0,
    cxTotal: 2,
    rqActive: 0,
    rqError: 1,
    rqSuccess: 7,
    rqTimeout: 0,
    rqTotal: 8,
    ...fields,
  };
}

export const WEB = "outbound|80||web.shop.svc.cluster.local";

export function fakeDataPlane(): FakeDataPlane {
  const orders: string[] = [];
  const view: FakeDataPlane = {
    serverState: "LIVE",
    records: [],
    certificateList: [],
    orders,
    clusters: async () => [
      {
        config: cluster(WEB, "eds"),
        addedViaApi: true,
        hosts: [host("10.0.0.1", 80), host("fd00::2", 80, { failedOutlierCheck: true }, { health: "unhealthy", weight: 3 })],
      },
      { config: cluster("local", "static"), addedViaApi: false, hosts: [host("127.0.0.1", 9000)] },
    ],
    listeners: async () => [
      { name: "virtualOutbound", ip: "0.0.0.0", port: 15001 },
      { name: "six", ip: "::1", port: 80 },
    ],
    memory: async () => process.memoryUsage(),
    certificates: () => view.certificateList,
    resources: () => view.records,
    versions: () => new Map([["type.googleapis.com/envoy.config.cluster.v3.Cluster", "v7"]]),
    state: () => view.serverState,
    drainListeners: async (options) => void orders.push(`drain ${JSON.stringify(options)}`),
    setHealthCheckFailed(failed) {
      orders.push(`healthcheck ${failed ? "fail" : "ok"}`);
      view.serverState = failed ? "DRAINING" : "LIVE";
    },
    quit: () => void orders.push("quit"),
  };
  return view;
}
