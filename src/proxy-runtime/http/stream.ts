// The seam that joins codecs, filters, router and pools: one HTTP exchange, whatever the version on either side.
//
// Downstream: the codec makes a DownstreamStream per request and calls its RequestReceiver; the router answers through
// the stream. Upstream: a pool hands out an UpstreamStream; the router writes through it, the codec calls the
// ResponseReceiver.
//
// Order of calls, both ways: headers once, then data any number of times, then at most one of trailers or an end flag;
// reset may come instead at any moment and is the last call. Data buffers belong to the caller and are valid only
// during the call: who keeps them copies them.
//
// Upgrades (a request whose `upgrade` is not empty; it comes with end = false): the router holds the flow of the request
// until the final head. Where that opens a tunnel (`opensTunnel`), both streams are raw byte pipes from there on: data
// both ways, each direction ended by its end flag alone, no trailers. With any other head the upgrade was refused: the
// response is an ordinary one, the request was whole with its head, and nobody says so by an end flag.
import type { Cause } from "../failure/cause.ts";
import type { HeaderList } from "./header-list.ts";

export interface RequestHead {
  readonly method: string;
  /** Origin form, or `*`; the authority and scheme of an absolute form are taken out. */
  path: string;
  authority: string;
  scheme: string;
  /** The target came with scheme and authority; it goes to an HTTP/1 upstream in the same form. */
  readonly isAbsoluteForm: boolean;
  readonly headers: HeaderList;
  /** `HTTP/1.0`, `HTTP/1.1` or `HTTP/2`. */
  readonly protocol: string;
  /**
   * Lower-case token of an Upgrade request (RFC 9110 §7.8; several as `a, b`) or of HTTP/2's extended CONNECT (RFC 8441,
   * whose method here is GET), `connect` for CONNECT (whose path is empty); else empty. Such a request has no body: what
   * follows its head belongs to the upgraded connection. HTTP/1's own Upgrade header stays in `headers`, in its case.
   */
  readonly upgrade: string;
  /** -1 where unknown (chunked) or none. */
  contentLength: number;
  /** Request line and headers as they came, in bytes; 0 where the codec can't tell. */
  readonly headBytes: number;
}

export interface ResponseHead {
  /** Of an upgrade that was accepted 101, whatever the version; HTTP/2 says 200 on the wire. */
  status: number;
  /** HTTP/1 only; empty for the usual one. */
  readonly reason: string;
  readonly headers: HeaderList;
  /** -1 where unknown. */
  readonly contentLength: number;
  /** Status line and headers as they came, in bytes; 0 for replies of our own. */
  readonly headBytes: number;
}

/** Whether a final head with this status turns the streams of such a request into byte pipes (RFC 9110 §7.8, §9.3.6). */
export function opensTunnel(upgrade: string, status: number): boolean {
  if (upgrade === "") return false;
  return upgrade === "connect" ? status >= 200 && status < 300 : status === 101;
}

/** Receives what the client sends. */
export interface RequestReceiver {
  onRequestData(chunk: Uint8Array, end: boolean): void;
  onRequestTrailers(trailers: HeaderList): void;
  /** The client is gone, or broke the protocol: a cause with a status wants its reply sent through the stream. */
  onDownstreamReset(cause: Cause, detail: string): void;
  /** After a send that answered false: there is room again. */
  onDownstreamWritable(): void;
}

/** One request from a client, and the way to answer it. */
export interface DownstreamStream {
  receiver: RequestReceiver | undefined;
  /** Sends that carry body answer false when the client reads too slowly: stop until onDownstreamWritable. */
  sendInformational(head: ResponseHead): void;
  sendHeaders(head: ResponseHead, end: boolean): void;
  sendData(chunk: Uint8Array, end: boolean): boolean;
  sendTrailers(trailers: HeaderList): void;
  /** Ends the stream without a whole response. */
  reset(cause: Cause): void;
  /** Stops and restarts the flow of request body. */
  pauseRequest(): void;
  resumeRequest(): void;
  /** True once the last byte of the response was handed to the codec. */
  readonly responseEnded: boolean;
}

/** Receives what the upstream answers. */
export interface ResponseReceiver {
  onInformational(head: ResponseHead): void;
  onResponseHeaders(head: ResponseHead, end: boolean): void;
  onResponseData(chunk: Uint8Array, end: boolean): void;
  onResponseTrailers(trailers: HeaderList): void;
  /** The exchange failed; `detail` names the errno, address or violation. */
  onUpstreamReset(cause: Cause, detail: string): void;
  onUpstreamWritable(): void;
}

/** One request to a host. */
export interface UpstreamStream {
  sendHeaders(head: RequestHead, end: boolean): void;
  sendData(chunk: Uint8Array, end: boolean): boolean;
  sendTrailers(trailers: HeaderList): void;
  /** Gives the exchange up; the receiver is not called again. */
  reset(): void;
  pauseResponse(): void;
  resumeResponse(): void;
  readonly remoteAddress: string;
  readonly localAddress: string;
  /** First URI SAN of the host's certificate, else empty. */
  readonly peerUri: string;
  readonly protocol: string;
}
