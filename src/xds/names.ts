// The names that the planes share: type URLs, resource names, metadata keys, ALPN tokens, header names, environment
// names and file paths in the pod. Istio's and Envoy's where they have one. No policy, no Kubernetes.

const TYPE = "type.googleapis.com/";

/** xDS type URLs, in the order in which a control plane sends them (make before break). */
export const TypeUrl = {
  cluster: `${TYPE}envoy.config.cluster.v3.Cluster`,
  endpoints: `${TYPE}envoy.config.endpoint.v3.ClusterLoadAssignment`,
  listener: `${TYPE}envoy.config.listener.v3.Listener`,
  route: `${TYPE}envoy.config.route.v3.RouteConfiguration`,
  secret: `${TYPE}envoy.extensions.transport_sockets.tls.v3.Secret`,
  /** Names for the sidecar's DNS: Istio's NDS. One resource, named `nds`. */
  nameTable: `${TYPE}istio.networking.nds.v1.NameTable`,
} as const;
export type TypeUrl = (typeof TypeUrl)[keyof typeof TypeUrl];

export const ADS_METHOD = "/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources";
export const CREATE_CERTIFICATE_METHOD = "/istio.v1.auth.IstioCertificateService/CreateCertificate";

export const Port = {
  admin: 15000,
  outbound: 15001,
  inbound: 15006,
  /** Where `meshctl init --verify` listens for a connection that it redirected to itself. */
  probe: 15002,
  mergedMetrics: 15020,
  ready: 15021,
  dns: 15053,
  prometheus: 15090,
  xdsPlaintext: 15010,
  xdsSecure: 15012,
  monitoring: 15014,
  webhooks: 15017,
} as const;

/** Of the sidecar: what an application can't listen on, and nobody scrapes as the application's. */
export const OWN_PORTS: ReadonlySet<number> = new Set([
  Port.admin,
  Port.outbound,
  Port.inbound,
  Port.mergedMetrics,
  Port.ready,
  Port.dns,
  Port.prometheus,
]);

export const PROXY_UID = 1337;
export const PROXY_GID = 1337;

/** Most threads that a proxy's `--concurrency` may ask for. */
export const MAX_CONCURRENCY = 128;

/** Source address of inbound traffic that the sidecar hands to its own workload; never captured again. */
export const INBOUND_PASSTHROUGH_SOURCE_V4 = "127.0.0.6";
export const INBOUND_PASSTHROUGH_SOURCE_V6 = "::6";

export const ClusterName = {
  passthrough: "PassthroughCluster",
  blackHole: "BlackHoleCluster",
  inboundPassthroughV4: "InboundPassthroughClusterIpv4",
  inboundPassthroughV6: "InboundPassthroughClusterIpv6",
  /** Where the sidecar's own secrets come from; in our proxy the identity part of the same process. */
  sds: "sds-grpc",
  ads: "xds-grpc",
} as const;

export const ListenerName = { outbound: "virtualOutbound", inbound: "virtualInbound" } as const;

/** Secret names that the sidecar's identity serves: its own key and chain, and the roots that it trusts. */
export const SecretName = { workload: "default", roots: "ROOTCA" } as const;

export const NAME_TABLE_RESOURCE = "nds";

/** `outbound|8080|v1|backend.shop.svc.cluster.local`; subset is empty for the whole service. */
export function outboundClusterName(port: number, subset: string, host: string): string {
  return `outbound|${port}|${subset}|${host}`;
}

/** `inbound|8080||`, by the workload's own port. */
export function inboundClusterName(port: number): string {
  return `inbound|${port}||`;
}

/** ALPN tokens between sidecars: which of them is offered tells the server what the bytes inside are. */
export const Alpn = {
  /** Our own: HTTP/2 that keeps what an HTTP/1 message looked like, one connection for all requests to a peer. */
  meshTransport: "meshctl/1",
  meshHttp10: "istio-http/1.0",
  meshHttp11: "istio-http/1.1",
  meshHttp2: "istio-h2",
  /** Not HTTP: opaque bytes. Its presence in a cluster's ALPN list marks the peer as a mesh sidecar. */
  meshTcp: "istio",
  http11: "http/1.1",
  http10: "http/1.0",
  http2: "h2",
  h2c: "h2c",
} as const;

/** filter_metadata keys. */
export const MetadataKey = {
  /** Istio's: on clusters `config` (path of the DestinationRule) and `services`; on routes `config` (path of the VirtualService). */
  istio: "istio",
  /** On endpoints: what transport_socket_matches are matched against, `{ tlsMode: "istio" }`. */
  transportSocketMatch: "envoy.transport_socket_match",
  /** On endpoints: subset labels. */
  loadBalancer: "envoy.lb",
} as const;

/** Value of `tlsMode` in MetadataKey.transportSocketMatch for endpoints that have a sidecar. */
export const TLS_MODE_MESH = "istio";

/** Environment of the sidecar container, as the injector writes it. */
export const Env = {
  podName: "POD_NAME",
  podNamespace: "POD_NAMESPACE",
  instanceIp: "INSTANCE_IP",
  /** All addresses of the pod, comma separated; dual stack pods have two. */
  instanceIps: "INSTANCE_IPS",
  serviceAccount: "SERVICE_ACCOUNT",
  nodeName: "NODE_NAME",
  workloadName: "MESHCTL_META_WORKLOAD_NAME",
  owner: "MESHCTL_META_OWNER",
  clusterId: "MESHCTL_META_CLUSTER_ID",
  meshId: "MESHCTL_META_MESH_ID",
  /** JSON object of the pod's labels; a file with the downward API's format is read where it exists. */
  labels: "MESHCTL_META_LABELS",
  appContainers: "MESHCTL_META_APP_CONTAINERS",
  podPorts: "MESHCTL_META_POD_PORTS",
  trustDomain: "TRUST_DOMAIN",
  discoveryAddress: "MESHCTL_DISCOVERY_ADDRESS",
  caAddress: "CA_ADDR",
  /** JSON: path on port 15020 → the probe or lifecycle handler that the injector replaced by it (Istio's ISTIO_KUBE_APP_PROBERS). */
  appProbers: "MESHCTL_KUBE_APP_PROBERS",
  /** JSON: what of the application is to be scraped (Istio's ISTIO_PROMETHEUS_ANNOTATIONS). */
  scrapeTargets: "MESHCTL_SCRAPE_TARGETS",
} as const;

/** Paths of the sidecar's port 15020. */
export const StatusPath = {
  ready: "/healthz/ready",
  metrics: "/stats/prometheus",
  drain: "/drain",
  quit: "/quitquitquit",
  /** In front of `<container>/{readyz,livez,startupz}`. */
  appHealth: "/app-health",
  /** In front of `<container>/{prestopz,poststartz}`. */
  appLifecycle: "/app-lifecycle",
} as const;

/** Files in the sidecar's container. */
export const PodPath = {
  token: "/var/run/secrets/tokens/meshctl-token",
  rootCertificate: "/var/run/secrets/meshctl/root-cert.pem",
  podInfoLabels: "/etc/meshctl/pod/labels",
} as const;

/** Audience of the service account token that a sidecar shows to the control plane. */
export const TOKEN_AUDIENCE = "meshctl-ca";

export const DEFAULT_TRUST_DOMAIN = "cluster.local";
export const DEFAULT_CLUSTER_DOMAIN = "cluster.local";
export const MESH_NAMESPACE = "mesh-system";

/** Keys of the node metadata that a sidecar sends with its first xDS request (values are JSON). */
export const NodeMetadata = {
  namespace: "NAMESPACE",
  serviceAccount: "SERVICE_ACCOUNT",
  workloadName: "WORKLOAD_NAME",
  owner: "OWNER",
  labels: "LABELS",
  instanceIps: "INSTANCE_IPS",
  clusterId: "CLUSTER_ID",
  meshId: "MESH_ID",
  version: "ISTIO_VERSION",
  dnsCapture: "DNS_CAPTURE",
  interceptionMode: "INTERCEPTION_MODE",
} as const;

/** `sidecar~<ip>~<pod>.<namespace>~<namespace>.svc.<cluster domain>`: the node id that Istio's control plane expects. */
export function sidecarNodeId(ip: string, pod: string, namespace: string, clusterDomain: string): string {
  return `sidecar~${ip}~${pod}.${namespace}~${namespace}.svc.${clusterDomain}`;
}
