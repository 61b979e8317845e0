// DestinationRule (networking.istio.io): subsets of a host and how its endpoints are spoken to. The part that
// translate acts on.
import { z } from "zod";
import { choice, count, duration, labels, nonEmpty, notSupported, portSelector, struct } from "./fields.ts";

const loadBalancer = struct({
  simple: choice(["UNSPECIFIED", "LEAST_REQUEST", "LEAST_CONN", "ROUND_ROBIN", "RANDOM", "PASSTHROUGH"]).optional(),
  consistentHash: notSupported(),
  localityLbSetting: notSupported(),
  zoneAwareLbSetting: notSupported(),
  warmup: notSupported(),
  warmupDurationSecs: notSupported(),
});

const tcpKeepalive = struct({ probes: count.optional(), time: duration.optional(), interval: duration.optional() });
export type TcpKeepalive = z.output<typeof tcpKeepalive>;

const connectionPool = struct({
  tcp: struct({
    maxConnections: count.optional(),
    connectTimeout: duration.optional(),
    idleTimeout: duration.optional(),
    tcpKeepalive: tcpKeepalive.optional(),
    maxConnectionDuration: duration.optional(),
  }).optional(),
  http: struct({
    http1MaxPendingRequests: count.optional(),
    http2MaxRequests: count.optional(),
    maxRequestsPerConnection: count.optional(),
    maxRetries: count.optional(),
    idleTimeout: duration.optional(),
    // Towards a sidecar HTTP/1 requests are multiplexed anyway, and towards anything else nobody knows that HTTP/2 is understood.
    h2UpgradePolicy: choice(["DEFAULT", "DO_NOT_UPGRADE"], ["UPGRADE"]).optional(),
    useClientProtocol: z.boolean({ error: "must be true or false" }).optional(),
    maxConcurrentStreams: notSupported(),
    http2KeepAlive: notSupported(),
  }).optional(),
});
export type ConnectionPool = z.output<typeof connectionPool>;

const tls = struct({
  mode: choice(["DISABLE", "ISTIO_MUTUAL"], ["SIMPLE", "MUTUAL"]),
  sni: nonEmpty.optional(),
  subjectAltNames: z.array(nonEmpty).optional(),
  clientCertificate: notSupported(),
  privateKey: notSupported(),
  caCertificates: notSupported(),
  caCrl: notSupported(),
  credentialName: notSupported(),
  insecureSkipVerify: notSupported(),
});
export type ClientTls = z.output<typeof tls>;

const perPort = {
  loadBalancer: loadBalancer.optional(),
  connectionPool: connectionPool.optional(),
  tls: tls.optional(),
  outlierDetection: notSupported(),
};

const trafficPolicy = struct({
  ...perPort,
  portLevelSettings: z.array(struct({ port: portSelector, ...perPort })).optional(),
  tunnel: notSupported(),
  proxyProtocol: notSupported(),
  retryBudget: notSupported(),
});
export type TrafficPolicy = z.output<typeof trafficPolicy>;

const subset = struct({ name: nonEmpty, labels: labels.optional(), trafficPolicy: trafficPolicy.optional() });
export type Subset = z.output<typeof subset>;

export const destinationRuleSpec = struct({
  host: z.string({ error: "is required: the host that this DestinationRule is for" }).min(1, "must not be empty"),
  trafficPolicy: trafficPolicy.optional(),
  subsets: z.array(subset).optional(),
  exportTo: z.array(nonEmpty).optional(),
  workloadSelector: notSupported(),
}).superRefine((rule, context) => {
  const seen = new Set<string>();
  rule.subsets?.forEach((each, index) => {
    if (seen.has(each.name))
      context.addIssue({ code: "custom", path: ["subsets", index, "name"], message: `subset "${each.name}" is defined twice` });
    seen.add(each.name);
  });
});
export type DestinationRuleSpec = z.output<typeof destinationRuleSpec>;
