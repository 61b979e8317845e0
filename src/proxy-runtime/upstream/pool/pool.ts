// The seam between router and connections: who wants a stream waits for one here.
import type { Cause } from "../../failure/cause.ts";
import type { ResponseReceiver, UpstreamStream } from "../../http/stream.ts";

/** Somebody who wants a stream; receives the response, too. Exactly one of ready and failure is called, once. */
export interface PoolWaiter extends ResponseReceiver {
  /** The request came over HTTP/2: where the cluster follows the client, it goes on so. */
  readonly isHttp2: boolean;
  /**
   * @param reused whether the connection has carried another request before: it may turn out to be dead.
   */
  onPoolReady(stream: UpstreamStream, reused: boolean): void;
  onPoolFailure(cause: Cause, detail: string): void;
}

export interface Pool {
  /** Calls the waiter at once where a connection is idle, else when one is ready or has failed. */
  acquire(waiter: PoolWaiter): void;
  /** The waiter no longer waits; it is not called. */
  cancel(waiter: PoolWaiter): void;
  /** Closes idle connections now, busy ones after their exchange. Waiters are still served. */
  drain(): void;
  readonly activeConnections: number;
}
