// meshctl's configuration for the benchmark: an Envoy v3 bootstrap with static listeners, clusters and secrets. Every
// filter of a sidecar is on: routing table, header edits, least request, timeout, statistics, and who the peer is.
import { Alpn } from "../../src/xds/names.ts";
import type { Certificates, Workload } from "../certificates.ts";
import type { Rule } from "../rules.ts";
import { OTHER_HOSTS, REQUEST, REQUEST_HEADERS, RESPONSE_HEADERS, RULES } from "../rules.ts";

export interface SidecarHop {
  readonly adminPort: number;
  readonly listenPort: number;
  readonly upstreamPorts: readonly number[];
  /** Which end of an mTLS chain it is; neither for a plaintext hop. */
  readonly tls?: { readonly end: "client" | "server"; readonly certificates: Certificates };
  /** Speaks HTTP/2 to the upstream; HTTP/1.1 where not set. */
  readonly isHttp2Upstream?: boolean;
}

type Json = Record<string, unknown>;

/** As the control plane's inbound chains: the server takes the first of these that its client offers. */
const SERVER_ALPN = [
  Alpn.meshTransport,
  Alpn.http2,
  Alpn.http11,
  Alpn.http10,
  Alpn.meshHttp2,
  Alpn.meshHttp11,
  Alpn.meshHttp10,
  Alpn.meshTcp,
];
/** As the control plane's clusters: the peers are sidecars, and HTTP may take the mesh transport. */
const CLIENT_ALPN = [Alpn.meshTransport, Alpn.meshTcp];

const EXTENSIONS = "type.googleapis.com/envoy.extensions";

/** The bootstrap as JSON text. */
export function sidecarBootstrap(hop: SidecarHop): string {
  const bootstrap: Json = {
    node: { id: "sidecar~127.0.0.1~bench.bench~bench.svc.cluster.local", cluster: "bench" },
    admin: { address: socketAddress(hop.adminPort) },
    static_resources: { listeners: [listener(hop)], clusters: [cluster(hop)], secrets: secrets(hop) },
  };
  return `${JSON.stringify(bootstrap, null, 2)}\n`;
}

/** The server's application is told who the client is. */
const CLIENT_CERTIFICATE: Json = {
  forward_client_cert_details: "APPEND_FORWARD",
  set_current_client_cert_details: { subject: true, uri: true, dns: true },
};

function listener(hop: SidecarHop): Json {
  return {
    name: "bench",
    // It also decides from which side the mesh's metrics are reported.
    traffic_direction: hop.tls?.end === "server" ? "INBOUND" : "OUTBOUND",
    address: socketAddress(hop.listenPort),
    filter_chains: [
      {
        filters: [
          {
            name: "envoy.filters.network.http_connection_manager",
            typed_config: {
              "@type": `${EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager`,
              stat_prefix: "bench",
              codec_type: "AUTO",
              // As the control plane configures sidecars: the address of the client is what the first proxy has written.
              use_remote_address: false,
              normalize_path: true,
              http_protocol_options: { accept_http_10: true, default_host_for_http_10: REQUEST.host },
              ...(hop.tls?.end === "server" ? CLIENT_CERTIFICATE : {}),
              route_config: routes(),
              http_filters: [
                { name: "envoy.filters.http.router", typed_config: { "@type": `${EXTENSIONS}.filters.http.router.v3.Router` } },
              ],
            },
          },
        ],
        ...(hop.tls?.end === "server" ? { transport_socket: downstreamTls(hop.tls.certificates) } : {}),
      },
    ],
  };
}

function routes(): Json {
  const others = OTHER_HOSTS.map((host) => ({
    name: host,
    domains: [host],
    routes: [{ match: { prefix: "/" }, route: { cluster: "upstream" } }],
  }));
  return {
    name: "bench",
    request_headers_to_add: REQUEST_HEADERS.set.map(overwrite),
    request_headers_to_remove: REQUEST_HEADERS.remove,
    response_headers_to_add: RESPONSE_HEADERS.set.map(overwrite),
    response_headers_to_remove: RESPONSE_HEADERS.remove,
    virtual_hosts: [...others, { name: REQUEST.host, domains: [REQUEST.host], routes: RULES.map(route) }],
  };
}

function route(rule: Rule): Json {
  const headers = rule.header === undefined ? [] : [{ name: rule.header.name, string_match: { exact: rule.header.value } }];
  return {
    name: rule.name,
    match: { prefix: rule.prefix, headers },
    route: { cluster: "upstream", timeout: "15s" },
    request_headers_to_add: [overwrite({ name: REQUEST_HEADERS.ruleHeader, value: rule.name })],
  };
}

function overwrite({ name, value }: { readonly name: string; readonly value: string }): Json {
  return { header: { key: name, value }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" };
}

function cluster(hop: SidecarHop): Json {
  const endpoints = hop.upstreamPorts.map((port) => ({ endpoint: { address: socketAddress(port) } }));
  return {
    name: "upstream",
    type: "STATIC",
    connect_timeout: "5s",
    lb_policy: "LEAST_REQUEST",
    // Envoy's default of 1024 would do; said so that nobody wonders at 128 connections.
    circuit_breakers: { thresholds: [{ max_connections: 4096, max_pending_requests: 4096, max_requests: 4096 }] },
    load_assignment: { cluster_name: "upstream", endpoints: [{ lb_endpoints: endpoints }] },
    ...(hop.isHttp2Upstream === true ? { typed_extension_protocol_options: HTTP2_UPSTREAM } : {}),
    ...(hop.tls?.end === "client" ? { transport_socket: upstreamTls(hop.tls.certificates) } : {}),
  };
}

const HTTP2_UPSTREAM: Json = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": `${EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions`,
    explicit_http_config: { http2_protocol_options: {} },
  },
};

function downstreamTls({ client }: Certificates): Json {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext`,
      require_client_certificate: true,
      common_tls_context: commonTls(client, SERVER_ALPN),
    },
  };
}

function upstreamTls({ server }: Certificates): Json {
  return {
    name: "envoy.transport_sockets.tls",
    typed_config: {
      "@type": `${EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext`,
      sni: server.dnsName,
      common_tls_context: commonTls(server, CLIENT_ALPN),
    },
  };
}

/** TLS 1.3 only, own certificate and roots by secret name, and the one identity that the peer must have. */
function commonTls(peer: Workload, alpn: readonly string[]): Json {
  return {
    tls_params: { tls_minimum_protocol_version: "TLSv1_3", tls_maximum_protocol_version: "TLSv1_3" },
    alpn_protocols: alpn,
    tls_certificate_sds_secret_configs: [{ name: "default" }],
    combined_validation_context: {
      default_validation_context: { match_typed_subject_alt_names: [{ san_type: "URI", matcher: { exact: peer.spiffeId } }] },
      validation_context_sds_secret_config: { name: "ROOTCA" },
    },
  };
}

function secrets(hop: SidecarHop): Json[] {
  if (hop.tls === undefined) return [];
  const { certificates, end } = hop.tls;
  const own = certificates[end];
  return [
    { name: "default", tls_certificate: { certificate_chain: { filename: own.certificateFile }, private_key: { filename: own.keyFile } } },
    { name: "ROOTCA", validation_context: { trusted_ca: { filename: certificates.rootsFile } } },
  ];
}

function socketAddress(port: number): Json {
  return { socket_address: { address: "127.0.0.1", port_value: port } };
}
