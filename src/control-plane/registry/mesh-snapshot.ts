// One whole, immutable picture of the mesh: what translate reads. A new one is built whenever an object changes.
import type { DestinationRuleObject, PeerAuthenticationObject, VirtualServiceObject } from "../ingest/mesh-object.ts";

/** What the operator of the control plane decides for the whole mesh. */
export interface MeshSettings {
  readonly trustDomain: string;
  readonly clusterDomain: string;
  /** Policies of this namespace are for the whole mesh. */
  readonly rootNamespace: string;
  readonly clusterId: string;
  /** Where every sidecar writes access logs; undefined: nowhere. */
  readonly accessLogPath: string | undefined;
  readonly pathNormalization: PathNormalization;
  /** So long sidecars wait for first bytes that tell a protocol; 0 for ever. */
  readonly protocolDetectionTimeoutMs: number;
}

/** What sidecars make of a path before they match it and send it on; Istio's words. */
export type PathNormalization = "NONE" | "BASE" | "MERGE_SLASHES" | "DECODE_AND_MERGE_SLASHES";

/** What travels on a port. `http`: either version, as the client speaks; `http2`: servers speak nothing else, as gRPC's; `tls`: the workload's own, passed through; `auto`: told by the first bytes. */
export type PortProtocol = "http" | "http2" | "tcp" | "tls" | "auto";

export interface ServicePort {
  readonly name: string;
  readonly port: number;
  /** A number, or the name of a container port. */
  readonly targetPort: number | string;
  readonly protocol: PortProtocol;
}

/** Where something runs; empty where that isn't known. */
export interface Locality {
  readonly region: string;
  readonly zone: string;
  readonly subZone: string;
}

/** A pod as the mesh sees it. */
export interface Workload {
  readonly name: string;
  /** undefined: it has none, as pods from files. */
  readonly uid?: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly serviceAccount: string;
  /** Name of the owning Deployment, StatefulSet, …; the pod's own without one. */
  readonly workloadName: string;
  readonly canonicalName: string;
  readonly canonicalRevision: string;
  /** Its sidecar takes mutual TLS (label security.istio.io/tlsMode=istio, written by injection). */
  readonly hasSidecar: boolean;
  readonly namedPorts: Readonly<Record<string, number>>;
  readonly locality: Locality;
}

export type EndpointHealth = "healthy" | "unhealthy" | "draining";

export interface Endpoint {
  readonly address: string;
  readonly port: number;
  readonly health: EndpointHealth;
  /** Host name within a headless service. */
  readonly hostname: string | undefined;
  readonly workload: Workload | undefined;
  readonly locality: Locality;
}

/** A Service of type ExternalName that means another one. */
export interface ServiceAlias {
  /** Fully qualified. */
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly exportTo: readonly string[];
}

export interface MeshService {
  /** Fully qualified: `payments.shop.svc.cluster.local`. */
  readonly hostname: string;
  readonly name: string;
  readonly namespace: string;
  readonly addresses: readonly string[];
  readonly headless: boolean;
  readonly selector: Readonly<Record<string, string>>;
  readonly ports: readonly ServicePort[];
  /** By the service port's name. */
  readonly endpoints: ReadonlyMap<string, readonly Endpoint[]>;
  /** Of every pod behind it, ready or not, sorted. */
  readonly serviceAccounts: readonly string[];
  readonly exportTo: readonly string[];
  /** Further names of it. */
  readonly aliases: readonly ServiceAlias[];
}

export interface MeshSnapshot {
  /** Grows with every snapshot. */
  readonly version: number;
  readonly settings: MeshSettings;
  /** By host name, in order of name. */
  readonly services: ReadonlyMap<string, MeshService>;
  /** By `namespace/name`. */
  readonly workloads: ReadonlyMap<string, Workload>;
  readonly workloadsByAddress: ReadonlyMap<string, Workload>;
  /** By fully qualified host (or wildcard), oldest first. */
  readonly virtualServices: ReadonlyMap<string, readonly VirtualServiceObject[]>;
  /** By fully qualified host (or wildcard), oldest first. */
  readonly destinationRules: ReadonlyMap<string, readonly DestinationRuleObject[]>;
  /** By namespace, oldest first. */
  readonly peerAuthentications: ReadonlyMap<string, readonly PeerAuthenticationObject[]>;
}
