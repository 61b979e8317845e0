// Endpoints of a cluster, from EDS or inline.

export type HealthStatus = "healthy" | "unhealthy" | "draining" | "timeout" | "degraded" | "unknown";

export interface EndpointConfig {
  readonly address: string;
  readonly port: number;
  readonly hostname: string;
  /** At least 1. */
  readonly weight: number;
  readonly health: HealthStatus;
  /** Matched against a cluster's transportSocketMatches (metadata envoy.transport_socket_match). */
  readonly transportSocketMatch: Readonly<Record<string, string>>;
  /** metadata `istio`: workload, owner and so on of the peer, for metrics labels; see `workload` string in Istio's form `name;namespace;canonical;revision;cluster`. */
  readonly workload: string | undefined;
}

export interface LocalityEndpoints {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
  readonly priority: number;
  readonly weight: number;
  readonly endpoints: readonly EndpointConfig[];
}

export interface EndpointsConfig {
  /** EDS service name (the cluster's name unless it says otherwise). */
  readonly name: string;
  readonly localities: readonly LocalityEndpoints[];
  /** Percent; Envoy's default is 140. */
  readonly overprovisioningFactor: number;
}
