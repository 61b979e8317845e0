// The half of the proxy that carries traffic, as the other half (xDS, identity, admin) sees it. Everything that crosses is
// plain data, so it runs in the same thread or, as a pool of workers, in threads of its own.
import type { HostStatus, ListenerStatus, MemoryStatus } from "../admin/data-plane-view.ts";
import type { ProxyConfig } from "../config/proxy-config.ts";

/** A listener whose address could not be bound. */
export interface ListenFailure {
  readonly listener: string;
  readonly host: string;
  readonly port: number;
  /** The system's, such as EADDRINUSE. */
  readonly code: string;
}

export interface DrainOrder {
  readonly inboundOnly: boolean;
  /** Stop accepting, too. */
  readonly close: boolean;
  /** Idle connections of HTTP/1 are left to their clients for no longer than this. */
  readonly idleGraceMs?: number;
}

export interface DataHalf {
  /**
   * Makes a configuration the current one. Calls are served one after the other.
   * @returns what could not be bound, once everything else is in force everywhere.
   * @throws UserError for a mistake that only shows now, such as an access log that can't be opened.
   */
  apply(config: ProxyConfig): Promise<readonly ListenFailure[]>;
  /** By cluster name. */
  hosts(): Promise<ReadonlyMap<string, readonly HostStatus[]>>;
  listeners(): Promise<readonly ListenerStatus[]>;
  activeConnections(): Promise<number>;
  memory(): Promise<MemoryStatus>;
  /** HTTP connections end after their present request. */
  drain(order: DrainOrder): Promise<void>;
  reopenLogs(): Promise<void>;
  /** Ends everything at once. */
  stop(): Promise<void>;
}
