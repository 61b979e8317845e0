// The proxy that is abused: a plaintext HTTP listener, a TCP one and one with mTLS, as far as they are asked for, in
// front of the origin or of another proxy. Idle upstream connections go soon, so that what is left over shows.
import { Alpn } from "../../../src/xds/names.ts";
import { address, cluster, httpFilter, listener, staticResources, tcpFilter, tlsSocket, toCluster } from "../proxy-plane.ts";
import type { Json } from "../proxy-plane.ts";
import { certificateSecret, commonTls, rootsSecret } from "../test-identities.ts";
import type { TestCertificate } from "../test-identities.ts";
import type { OriginPorts } from "./origin.ts";

const UPSTREAM_IDLE_MS = 200;
/** What bystanders ask for. */
export const BYSTANDER_PATH = "/bystander";

export interface HopIdentity {
  readonly certificate: TestCertificate;
  readonly rootsPem: string;
  /** Whom it admits at its mTLS listener, and whom it expects behind an mTLS cluster. */
  readonly peer: string;
}

export interface Hop {
  /** Ports of the listeners. */
  readonly http?: number;
  readonly tcp?: number;
  readonly mtls?: number;
  /** Where requests and bytes go. */
  readonly origin: OriginPorts;
  /** Port of what answers bystanders, so that only the proxy can keep them waiting. */
  readonly quietOrigin: number;
  /** The address of the listeners, and of the origins unless there is another. */
  readonly ip?: string;
  readonly originIp?: string;
  readonly identity?: HopIdentity;
  /** What takes the place of the origin is another proxy's mTLS listener. */
  readonly isMeshUpstream?: boolean;
  /** More fields of the HTTP connection manager, of its routes' action, of the TCP proxy and of the filter chains. */
  readonly manager?: Json;
  readonly action?: Json;
  readonly tcpProxy?: Json;
  readonly chain?: Json;
}

export function hopBootstrap(hop: Hop): Json {
  const { http, tcp, mtls, origin, quietOrigin, ip = "127.0.0.1", originIp = ip, identity, chain = {} } = hop;
  const listeners: Json[] = [];
  const quiet = toCluster("quiet-origin", {}, { match: { path: BYSTANDER_PATH } });
  const routes = [toCluster("origin", { timeout: "0s", ...hop.action })];
  const manager = httpFilter(hop.isMeshUpstream === true ? routes : [quiet, ...routes], hop.manager);
  const at = (name: string, port: number): Json => ({ name, address: address(port, ip) });
  if (http !== undefined) listeners.push(listener([{ filters: [manager], ...chain }], at("http", http)));
  if (tcp !== undefined) listeners.push(listener([{ filters: [tcpFilter("echo", hop.tcpProxy)], ...chain }], at("tcp", tcp)));
  if (mtls !== undefined) {
    const alpn = [Alpn.meshTransport, Alpn.http2, Alpn.http11, Alpn.meshHttp11, Alpn.meshTcp];
    const context = { require_client_certificate: true, ...commonTls([identity!.peer], { alpn_protocols: alpn }) };
    listeners.push(listener([{ filters: [manager], ...tlsSocket("Downstream", context), ...chain }], at("mtls", mtls)));
  }
  const upstreamTls = commonTls([identity?.peer ?? ""], { alpn_protocols: [Alpn.meshTransport, Alpn.meshTcp] });
  const upstream = hop.isMeshUpstream === true ? tlsSocket("Upstream", upstreamTls) : {};
  const http1 = { typed_extension_protocol_options: IDLE_SOON, ...upstream };
  const clusters = [
    clusterAt("origin", originIp, origin.http, http1),
    // Between sidecars bystanders share the connection with everybody.
    ...(hop.isMeshUpstream === true ? [] : [clusterAt("quiet-origin", ip, quietOrigin, http1)]),
    clusterAt("echo", originIp, origin.echo, {}),
  ];
  const secrets = identity === undefined ? [] : [certificateSecret("own", identity.certificate), rootsSecret("roots", identity.rootsPem)];
  return staticResources(listeners, clusters, secrets);
}

const IDLE_SOON: Json = {
  "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
    "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    common_http_protocol_options: { idle_timeout: `${UPSTREAM_IDLE_MS / 1000}s` },
    explicit_http_config: { http_protocol_options: {} },
  },
};

// Limits out of the way: what is tested is what many connections do, not that they are turned away.
const NO_LIMITS = { max_connections: 100_000, max_pending_requests: 100_000, max_requests: 100_000, max_retries: 100_000 };

function clusterAt(name: string, ip: string, port: number, more: Json): Json {
  const endpoints = [{ lb_endpoints: [{ endpoint: { address: address(port, ip) } }] }];
  return {
    ...cluster(name, [], more),
    circuit_breakers: { thresholds: [NO_LIMITS] },
    load_assignment: { cluster_name: name, endpoints },
  };
}
