// What admin may ask and order of the running proxy. Answers are plain data, and promises where they are made by the half
// that may run in other threads; proxy.ts hands in the functions.
import type { EndpointConfig } from "../config/endpoint-config.ts";
import type { ClusterConfig } from "../config/cluster-config.ts";
import type { ResourceRecord } from "../config/resource-record.ts";

export interface HostStatus {
  /** `ip:port`, IPv6 in brackets. */
  readonly address: string;
  readonly ip: string;
  readonly port: number;
  readonly endpoint: EndpointConfig;
  readonly locality: { readonly region: string; readonly zone: string; readonly subZone: string };
  readonly priority: number;
  readonly failedOutlierCheck: boolean;
  readonly cxActive: number;
  readonly cxConnectFail: number;
  readonly cxTotal: number;
  readonly rqActive: number;
  readonly rqError: number;
  readonly rqSuccess: number;
  readonly rqTimeout: number;
  readonly rqTotal: number;
}

export interface ClusterStatus {
  readonly config: ClusterConfig;
  readonly addedViaApi: boolean;
  readonly hosts: readonly HostStatus[];
}

export interface ListenerStatus {
  readonly name: string;
  readonly ip: string;
  readonly port: number;
}

export interface CertificateStatus {
  readonly secretName: string;
  readonly kind: "certificate" | "validation";
  /** PEM of every certificate, leaf first. Never a key. */
  readonly pem: string;
}

export type ServerState = "LIVE" | "DRAINING" | "PRE_INITIALIZING" | "INITIALIZING";

/** Of all threads together, in bytes. */
export type MemoryStatus = Pick<NodeJS.MemoryUsage, "rss" | "heapUsed" | "heapTotal" | "external">;

export interface DataPlaneView {
  clusters(): Promise<readonly ClusterStatus[]>;
  listeners(): Promise<readonly ListenerStatus[]>;
  memory(): Promise<MemoryStatus>;
  certificates(): readonly CertificateStatus[];
  resources(): readonly ResourceRecord[];
  /** Version of the last accepted response by type URL; empty string before the first. */
  versions(): ReadonlyMap<string, string>;
  state(): ServerState;
  /** Starts draining, which has begun everywhere when this resolves; graceful waits for streams, otherwise listeners close at once. */
  drainListeners(options: { inboundOnly: boolean; graceful: boolean; skipExit: boolean }): Promise<void>;
  /** Fails or restores the health check answered by /ready. */
  setHealthCheckFailed(failed: boolean): void;
  quit(): void;
}
