// How streams, their session and its two halves see each other.
import type { Connection } from "../../transport/connection.ts";
import type { HeaderField } from "../header-field.ts";
import type { HeaderList } from "../header-list.ts";
import type { Flood, FloodGuard } from "./flood-guard.ts";
import type { FrameWriter, LocalSettings } from "./frame-writer.ts";
import type { HeadEncoder } from "./head-encoder.ts";
import type { Http2Stats } from "./http2-stats.ts";
import type { PeerSettings } from "./peer-settings.ts";
import type { PeerStreamIds } from "./peer-stream-ids.ts";

/** A stream, as its session sees it. */
export interface SessionStream {
  /** 0 until its HEADERS are sent. */
  readonly id: number;
  /** How much the peer lets us send; may be negative after a change of its settings (RFC 9113 §6.9.2). */
  sendWindow: number;
  /** We have sent END_STREAM. */
  localEnded: boolean;
  /** The peer has sent END_STREAM. */
  remoteEnded: boolean;
  /** An upgraded connection: each side ends for itself. */
  readonly isTunnel: boolean;
  /** Nothing more is sent or taken. */
  closed: boolean;
  /** Among those that get a turn when there is room. */
  isQueued: boolean;
  readonly hasOutput: boolean;
  /** The peer has ended the stream, but not all of what it sent was wanted yet. */
  readonly hasWaiting: boolean;
  /** Nothing more will be sent; what waits is dropped. */
  endLocal(): void;
  /** A header block, decoded: a head or trailers. */
  onHeaders(fields: HeaderField[], listBytes: number, endStream: boolean): void;
  /** Counts a DATA frame against the window; false where it does not fit. */
  admitData(length: number): boolean;
  receiveData(bytes: Buffer, start: number, end: number, endStream: boolean): void;
  /** The peer lets us send more (or less). Answers false where the window grows beyond what is allowed. */
  widen(change: number): boolean;
  /** Sends one piece of what waits, or says that there is room. Answers true when more could be sent. */
  sendPiece(maxBytes: number): boolean;
  /** The stream is over without a whole exchange. `code` is the peer's, CONNECTION_GONE, VIOLATION or OUR_BUG. */
  onReset(code: number, detail: string): void;
  /** Lets go of everything that waits. */
  discard(): void;
}

/** The way out, as streams see it. */
export interface SessionSender {
  readonly frames: FrameWriter;
  readonly heads: HeadEncoder;
  readonly isBlocked: boolean;
  /** Sends the block that `heads` has just encoded. */
  sendBlock(stream: SessionStream, endStream: boolean): void;
  sendTrailers(stream: SessionStream, trailers: HeaderList): void;
  /** Sends what windows and the socket have room for; with all of it the end, if it is one. Answers how much went. */
  sendData(stream: SessionStream, data: Uint8Array, end: boolean): number;
  /** The stream has something to send, or waits for room only. */
  queue(stream: SessionStream): void;
}

/** The session, as its streams see it. */
export interface StreamSession {
  readonly connection: Connection;
  readonly settings: LocalSettings;
  readonly peerInitialWindow: number;
  readonly isMesh: boolean;
  readonly output: SessionSender;
  /** Little enough is held that a stream may get a larger window. */
  readonly mayGrowWindows: boolean;
  /** So much more is held for streams whose receivers don't want it yet; less when negative. */
  hold(change: number): void;
  /** Closes the stream when both sides have ended; a whole answer ends it anyway (RFC 9113 §8.1). */
  settle(stream: SessionStream): void;
  /** What the peer has sent on a stream is no HTTP (§8.1.1). */
  rejectMessage(stream: SessionStream, detail: string): void;
  /** The peer has broken the rules of one stream. */
  resetStream(stream: SessionStream, code: number, detail: string): void;
  /** We give the stream up. Answers false when it was over. */
  cancelStream(stream: SessionStream, code: number): boolean;
  /** A bug of ours came up while the stream was served; it ends, and the connection goes on. */
  onBug(stream: SessionStream, thrown: unknown): void;
}

/** The session, as the reading of its frames sees it. Answers of false: the connection has failed. */
export interface InputSession extends StreamSession {
  readonly output: SessionSender & { widen(increment: number): boolean; takeTurns(): void };
  readonly isServer: boolean;
  readonly hasFailed: boolean;
  readonly floods: FloodGuard;
  readonly streams: { get(id: number): SessionStream | undefined };
  readonly owner: SessionOwner;
  readonly stats: Http2Stats;
  /** So much is held that the connection's window is not given back. */
  readonly isFull: boolean;
  applySettings(settings: PeerSettings): void;
  /** We have reset the stream, or may have: frames may come that the peer sent before it knew. */
  hasReset(streamId: number): boolean;
  readonly peerIds: PeerStreamIds;
  /** The peer has reset a stream. */
  onPeerReset(stream: SessionStream, code: number): void;
  /** Sends a RST_STREAM for a stream that is not open. */
  sendReset(streamId: number, code: number): void;
  /** Ends the connection for a flood. Answers whether it goes on. */
  admit(flood: Flood | undefined): boolean;
  /** Ends the connection with GOAWAY. */
  fail(code: number, detail: string): false;
}

/** The codec of one side. */
export interface SessionOwner {
  /** A header block for a stream that was never there. `isTooLarge`: some of its fields are missing. */
  onNewStream(streamId: number, fields: HeaderField[], listBytes: number, endStream: boolean, isTooLarge: boolean): void;
  isIdleStream(streamId: number): boolean;
  /** The first part of a new stream's header block has come, but not all of it. */
  onBlockBegun(): void;
  onStreamClosed(stream: SessionStream): void;
  onGoaway(lastStreamId: number, code: number, detail: string): void;
  onPeerSettings(settings: PeerSettings): void;
  /** @param payload eight bytes at `start`. */
  onPingAck(payload: Buffer, start: number): void;
  /** A message was no HTTP; its stream has been reset. */
  onMalformedMessage(detail: string): void;
  /** The peer has broken the protocol; GOAWAY is on its way and the connection ends. */
  onProtocolError(detail: string, flood: Flood | undefined): void;
}

// What onReset gets in place of a peer's code.
/** The connection has gone. */
export const CONNECTION_GONE = -1;
/** The peer has broken the protocol. */
export const VIOLATION = -2;
/** A bug of ours has ended the stream or the connection. */
export const OUR_BUG = -3;
