// What is known of one request or TCP connection: filled in while it runs, read once when it ends by the access log and
// the metrics. Times are milliseconds of performance.now(); -1 where the moment has not come.
import { performance } from "node:perf_hooks";
import type { Cause } from "../failure/cause.ts";

/** What the other side of a connection proved to be: from its certificate, over mutual TLS. */
export interface PeerIdentity {
  /** First URI SAN, e.g. spiffe://cluster.local/ns/shop/sa/frontend; empty without mTLS. */
  readonly uri: string;
  readonly subject: string;
  readonly dns: readonly string[];
  /** SHA-256 of the certificate, lower-case hexadecimal. */
  readonly hash: string;
}

/** Facts about a downstream connection, shared by its streams. */
export interface ConnectionInfo {
  readonly id: number;
  /** `ip:port`, IPv6 in brackets. */
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** TLS version (`TLSv1.3`) or empty for plaintext. */
  readonly tlsVersion: string;
  readonly peer: PeerIdentity | undefined;
  readonly localUri: string;
  readonly serverName: string;
}

/** Header fields as the access log reads them. */
export interface HeaderFields {
  /** All values of a header, joined with `,`; undefined when absent. */
  getByName(lowerName: string): string | undefined;
}

export class StreamInfo {
  readonly connection: ConnectionInfo;
  readonly startedAt: number;
  protocol = "";
  method = "";
  path = "";
  authority = "";
  /** The client's address where another proxy has told it; else empty, and the connection's counts. */
  clientIp = "";
  /** As they were sent on; undefined where there were none. */
  requestHeaders: HeaderFields | undefined = undefined;
  responseHeaders: HeaderFields | undefined = undefined;
  responseTrailers: HeaderFields | undefined = undefined;
  requestEndedAt = -1;
  upstreamRequestSentAt = -1;
  upstreamResponseStartedAt = -1;
  responseStartedAt = -1;
  endedAt = -1;
  responseCode = 0;
  /** Bodies only. */
  bytesReceived = 0;
  bytesSent = 0;
  /** Start line and headers as they were on the wire; 0 where the codec doesn't tell. */
  requestHeadBytes = 0;
  responseHeadBytes = 0;
  routeName = "";
  clusterName = "";
  upstreamHost = "";
  upstreamLocalAddress = "";
  upstreamProtocol = "";
  upstreamPeerUri = "";
  upstreamWorkload: string | undefined = undefined;
  upstreamTransportFailure = "";
  attempts = 0;
  /** Why the request failed, or what answered instead of the upstream; undefined for a plain success. */
  cause: Cause | undefined = undefined;
  /** More about the cause: an address, a policy's name, an errno. */
  causeDetail = "";
  /** A flag beside the cause's, or the upstream's response: no retry was left (URX), or none admitted (UO). */
  retryFlag: "" | "UO" | "URX" = "";
  /** True where the response came from the upstream (%RESPONSE_CODE_DETAILS% via_upstream). */
  viaUpstream = false;
  /** The request is a gRPC call. */
  isGrpc = false;
  /** Of a gRPC call; where the peer sent none, what follows from how it ended. */
  grpcStatus: number | undefined = undefined;
  /** An upgrade was accepted: bytes went both ways. */
  isTunnel = false;
  /** Whole messages of a gRPC call, from the client and to it, since the last report. */
  requestMessages = 0;
  responseMessages = 0;

  constructor(connection: ConnectionInfo, startedAt: number) {
    this.connection = connection;
    this.startedAt = startedAt;
  }

  /** Notes why the stream failed; a later reason changes nothing. */
  fail(cause: Cause, detail: string): void {
    if (this.cause !== undefined) return;
    this.cause = cause;
    this.causeDetail = detail;
  }

  /** Envoy's response flags, joined with `,`; `-` for none. */
  get flags(): string {
    const flag = this.cause?.flag ?? "-";
    if (this.retryFlag === "" || this.retryFlag === flag) return flag;
    return flag === "-" ? this.retryFlag : `${flag},${this.retryFlag}`;
  }

  /** Wall clock at start, ms since the epoch: counted back from now, since clocks get set and monotonic time does not. */
  get startedWallMs(): number {
    return Date.now() - (performance.now() - this.startedAt);
  }
}
