// DestinationRule (networking.istio.io): subsets of a host and how its endpoints are spoken to. The part that
// translate acts on.
import { z } from "zod";
import { choice, count, duration, labels, nonEmpty, notSupported, portSelector, struct } from "./fields.ts";

const loadBalancer = struct({
  simple: choice(["UNSPECIFIED", "LEAST_REQUEST", "LEAST_CONN", "ROUND_ROBIN", "RANDOM", "PASSTHROUGH"])
    .optional()
    .describe("How an endpoint is chosen; LEAST_REQUEST without it. PASSTHROUGH: the address that the client called."),
  consistentHash: notSupported(),
  localityLbSetting: notSupported(),
  zoneAwareLbSetting: notSupported(),
  warmup: notSupported(),
  warmupDurationSecs: notSupported(),
});

const tcpKeepalive = struct({
  probes: count.optional().describe("Probes without an answer after which the connection is dead."),
  time: duration.optional().describe("How long a connection is silent before the first probe."),
  interval: duration.optional().describe("Time between probes."),
});
export type TcpKeepalive = z.output<typeof tcpKeepalive>;

const connectionPool = struct({
  tcp: struct({
    maxConnections: count.optional().describe("Most connections to the host."),
    connectTimeout: duration.optional().describe("Time for a connection to be made; 10s without it."),
    idleTimeout: duration.optional().describe("How long a TCP connection may carry nothing; 1h without it."),
    tcpKeepalive: tcpKeepalive.optional().describe("Probes on silent connections."),
    maxConnectionDuration: duration.optional().describe("Longest life of a connection."),
  })
    .optional()
    .describe("Limits of connections, whatever they carry."),
  http: struct({
    http1MaxPendingRequests: count.optional().describe("Most requests that wait for a connection."),
    http2MaxRequests: count.optional().describe("Most requests at one time, in any version of HTTP."),
    maxRequestsPerConnection: count.optional().describe("Most requests on one connection; 0: any number."),
    maxRetries: count.optional().describe("Most retries at one time."),
    idleTimeout: duration.optional().describe("How long a connection may carry no request; 1h without it."),
    // Towards a sidecar HTTP/1 requests are multiplexed anyway, and towards anything else nobody knows that HTTP/2 is understood.
    h2UpgradePolicy: choice(["DEFAULT", "DO_NOT_UPGRADE"], ["UPGRADE"])
      .optional()
      .describe("Whether HTTP/1.1 becomes HTTP/2 on the way to the host."),
    useClientProtocol: z
      .boolean({ error: "must be true or false" })
      .optional()
      .describe("Speaks to the host the version of HTTP that the client spoke."),
    maxConcurrentStreams: notSupported(),
    http2KeepAlive: notSupported(),
  })
    .optional()
    .describe("Limits of HTTP requests."),
});
export type ConnectionPool = z.output<typeof connectionPool>;

const tls = struct({
  mode: choice(["DISABLE", "ISTIO_MUTUAL"], ["SIMPLE", "MUTUAL"]).describe(
    "ISTIO_MUTUAL: mutual TLS with the mesh's certificates. DISABLE: plaintext.",
  ),
  sni: nonEmpty.optional().describe("Server name to ask for."),
  subjectAltNames: z
    .array(nonEmpty)
    .optional()
    .describe("Identities of which the server must have one, such as spiffe://cluster.local/ns/prod/sa/reviews."),
  clientCertificate: notSupported(),
  privateKey: notSupported(),
  caCertificates: notSupported(),
  caCrl: notSupported(),
  credentialName: notSupported(),
  insecureSkipVerify: notSupported(),
});
export type ClientTls = z.output<typeof tls>;

const perPort = {
  loadBalancer: loadBalancer.optional().describe("How endpoints are chosen."),
  connectionPool: connectionPool.optional().describe("Limits of connections and requests."),
  tls: tls.optional().describe("TLS towards the host; without it, mutual TLS with endpoints that have a sidecar."),
  outlierDetection: notSupported(),
};

const trafficPolicy = struct({
  ...perPort,
  portLevelSettings: z
    .array(struct({ port: portSelector.describe("The port that this is for."), ...perPort }))
    .optional()
    .describe("Settings of single ports, each in place of the whole one above."),
  tunnel: notSupported(),
  proxyProtocol: notSupported(),
  retryBudget: notSupported(),
});
export type TrafficPolicy = z.output<typeof trafficPolicy>;

const subset = struct({
  name: nonEmpty.describe("What routes call the subset."),
  labels: labels.optional().describe("Labels of the subset's pods."),
  trafficPolicy: trafficPolicy.optional().describe("What is different for this subset."),
});
export type Subset = z.output<typeof subset>;

export const destinationRuleSpec = struct({
  host: z
    .string({ error: "is required: the host that this DestinationRule is for" })
    .min(1, "must not be empty")
    .describe("Name of a Service, such as reviews or reviews.prod.svc.cluster.local."),
  trafficPolicy: trafficPolicy.optional().describe("How clients connect to the host."),
  subsets: z.array(subset).optional().describe("Parts of the host, by labels of their pods: versions, for example."),
  exportTo: z.array(nonEmpty).optional().describe("Namespaces whose clients see this: . is its own, * is all (the default)."),
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
