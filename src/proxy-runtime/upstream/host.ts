// One upstream host at run time: an address, what is known of it, and the pool of connections to it.
import { formatAddress } from "../../common/address.ts";
import type { UpstreamTlsConfig } from "../config/tls-config.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { EndpointConfig } from "../config/endpoint-config.ts";
import { Alpn } from "../../xds/names.ts";
import type { Pool } from "./pool/pool.ts";

export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

export const NO_LOCALITY: Locality = { region: "", zone: "", subZone: "" };

export class UpstreamHost {
  readonly address: string;
  readonly ip: string;
  readonly port: number;
  readonly locality: Locality;
  readonly priority: number;
  /** undefined: plaintext. */
  readonly tls: UpstreamTlsConfig | undefined;
  /** Replaced when EDS changes weight or health; the host and its pool stay. */
  endpoint: EndpointConfig;
  pool: Pool | undefined = undefined;
  cxActive = 0;
  cxTotal = 0;
  cxConnectFail = 0;
  rqActive = 0;
  rqTotal = 0;
  rqSuccess = 0;
  rqError = 0;
  rqTimeout = 0;

  constructor(endpoint: EndpointConfig, locality: Locality, priority: number, tls: UpstreamTlsConfig | undefined) {
    this.ip = endpoint.address;
    this.port = endpoint.port;
    this.address = formatAddress(endpoint.address, endpoint.port);
    this.endpoint = endpoint;
    this.locality = locality;
    this.priority = priority;
    this.tls = tls;
  }

  /** Its TLS context speaks the mesh's protocols: there is a sidecar. */
  get isMeshPeer(): boolean {
    return this.tls !== undefined && this.tls.alpn.includes(Alpn.meshTcp);
  }

  get isHealthy(): boolean {
    const { health } = this.endpoint;
    return health === "healthy" || health === "unknown" || health === "degraded";
  }
}

/** Which transport socket an endpoint gets: the first of the cluster's matches whose pairs it has (Envoy's transport_socket_matches). */
export function selectTls(cluster: ClusterConfig, endpoint: EndpointConfig): UpstreamTlsConfig | undefined {
  for (const each of cluster.transportSocketMatches) {
    if (Object.entries(each.match).every(([key, value]) => endpoint.transportSocketMatch[key] === value)) return each.tls;
  }
  return cluster.tls;
}
