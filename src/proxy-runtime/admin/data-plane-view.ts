// What admin may ask and order of the running proxy. Answers are plain data, so that the asked half may run in another
// thread; proxy.ts hands in the functions.
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

export interface DataPlaneView {
  clusters(): readonly ClusterStatus[];
  listeners(): readonly ListenerStatus[];
  certificates(): readonly CertificateStatus[];
  resources(): readonly ResourceRecord[];
  /** Version of the last accepted response by type URL; empty string before the first. */
  versions(): ReadonlyMap<string, string>;
  state(): ServerState;
  /** Starts draining; graceful waits for streams, otherwise listeners close at once. */
  drainListeners(options: { inboundOnly: boolean; graceful: boolean; skipExit: boolean }): void;
  /** Fails or restores the health check answered by /ready. */
  setHealthCheckFailed(failed: boolean): void;
  quit(): void;
}
