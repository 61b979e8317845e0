// A server-side codec of either version, and who it works for.
import type { Cause } from "../failure/cause.ts";
import type { ConnectionReceiver } from "../transport/connection.ts";
import type { DownstreamStream, RequestHead } from "./stream.ts";

export interface ServerCodec extends ConnectionReceiver {
  /**
   * The client is told to ask elsewhere: HTTP/2 at once, and the connection closes when what has come is answered; HTTP/1
   * with its next response, and an idle connection stays for `finish` to close.
   */
  drain(): void;
  /** The connection closes when what has come is answered. */
  finish(): void;
  /** Every open request fails for a reason of ours: by a reply where none has begun. */
  failStreams(cause: Cause, detail: string): void;
  readonly isDraining: boolean;
  /** No stream is open. */
  readonly isIdle: boolean;
  /** True between the first byte of a head and its last. */
  readonly hasPartialHead: boolean;
  /** The owner does not wait for the rest of a head. */
  refuseHead(cause: Cause, detail: string): void;
}

/** Who is told of what arrives. */
export interface ServerConnectionOwner {
  /** A request; the owner sets `stream.receiver` before it returns, unless it has answered already. */
  onRequest(stream: DownstreamStream, head: RequestHead, end: boolean): void;
  /** The bytes are no acceptable request; the owner answers through the stream with the cause's reply, or resets it. */
  onBadRequest(stream: DownstreamStream, cause: Cause, detail: string): void;
  /** The first bytes of a head have come, but not all of it. */
  onHeadBegun(): void;
  /** A request and its response are over. */
  onStreamDone(stream: DownstreamStream): void;
  /** The client has broken the protocol beyond one request; the connection is closing. */
  onProtocolError(detail: string, areTooManyResets: boolean): void;
  onConnectionClosed(error: NodeJS.ErrnoException | undefined): void;
}
