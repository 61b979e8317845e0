// A small gRPC client over node:http2: what the sidecar speaks to its control plane with (ADS and CreateCertificate).
// It stands here because @grpc/grpc-js costs each sidecar several MB. Connects on the first call, and anew on the
// first call after the connection broke or the peer sent GOAWAY; when to call again is the caller's business.
import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { VERSION } from "../common/version.ts";
import { GrpcCall } from "./grpc-call.ts";
import type { GrpcCallEvents } from "./grpc-call.ts";
import { GrpcConnection } from "./grpc-connection.ts";
import type { GrpcAddress, GrpcKeepalive, GrpcTls } from "./grpc-connection.ts";
import { GrpcCode, GrpcError } from "./grpc-status.ts";

export interface GrpcChannelOptions {
  readonly address: GrpcAddress;
  /** Absent: plaintext. A function is asked at each connect, so that renewed roots and certificates are used. */
  readonly tls?: GrpcTls | (() => GrpcTls);
  /** Default: a PING each 30 s while a call runs, answered within 10 s (Istio's agent). */
  readonly keepalive?: GrpcKeepalive;
  /** Default 10 s; covers TCP and TLS. */
  readonly connectTimeoutMs?: number;
  /** Default 256 MB; a larger message ends its call with RESOURCE_EXHAUSTED. */
  readonly maxMessageBytes?: number;
}

export interface GrpcCallOptions {
  /** Lower-case header names. */
  readonly metadata?: Readonly<Record<string, string>>;
  /** Deadline of the whole call, connecting included; also told to the server. Absent: none. */
  readonly timeoutMs?: number;
}

/** A running call with many messages. */
export interface GrpcStream {
  send(message: Uint8Array): void;
  /** No more messages from this side. */
  halfClose(): void;
  /** Cancels; no callback comes any more. */
  close(): void;
}

export interface GrpcChannel {
  /**
   * One message out, one in.
   * @param method `/package.Service/Method`
   * @throws GrpcError when the call ends with anything but OK and one message.
   */
  unary(method: string, message: Uint8Array, options?: GrpcCallOptions): Promise<Uint8Array>;
  /** Many messages both ways. Never throws: a channel that can't connect ends the call with UNAVAILABLE. */
  stream(method: string, options: GrpcCallOptions & GrpcCallEvents): GrpcStream;
  /** Ends the connection; running calls end with UNAVAILABLE, later ones connect anew. */
  close(): void;
}

const DEFAULT_KEEPALIVE: GrpcKeepalive = { intervalMs: 30_000, timeoutMs: 10_000 };
const DEFAULT_CONNECT_TIMEOUT_MS = 10_000;
const DEFAULT_MAX_MESSAGE_BYTES = 256 << 20;

export function connectGrpc(options: GrpcChannelOptions): GrpcChannel {
  let current: GrpcConnection | undefined;

  function connection(): GrpcConnection {
    // Closed: the peer sent GOAWAY. Running calls may finish there.
    if (current !== undefined && !current.session.closed && !current.session.destroyed) return current;
    const fresh = new GrpcConnection(
      {
        address: options.address,
        tls: typeof options.tls === "function" ? options.tls() : options.tls,
        keepalive: options.keepalive ?? DEFAULT_KEEPALIVE,
        connectTimeoutMs: options.connectTimeoutMs ?? DEFAULT_CONNECT_TIMEOUT_MS,
      },
      () => {
        if (current === fresh) current = undefined;
      },
    );
    current = fresh;
    return fresh;
  }

  function stream(method: string, call: GrpcCallOptions & GrpcCallEvents): GrpcStream {
    let on: GrpcConnection;
    let request: ClientHttp2Stream;
    try {
      on = connection();
      request = on.session.request(requestHeaders(method, call), { endStream: false });
    } catch (error) {
      return failedStream(call, error); // PEM that OpenSSL can't read, for example
    }
    on.callStarted();
    return new GrpcCall(request, call, {
      maxMessageBytes: options.maxMessageBytes ?? DEFAULT_MAX_MESSAGE_BYTES,
      timeoutMs: call.timeoutMs,
      connectionFailure: () => on.failure,
      onDone: () => on.callEnded(),
    });
  }

  function unary(method: string, message: Uint8Array, call: GrpcCallOptions = {}): Promise<Uint8Array> {
    return new Promise((resolve, reject) => {
      const answers: Uint8Array[] = [];
      const running = stream(method, {
        ...call,
        onMessage: (answer) => answers.push(answer),
        onEnd: ({ code, message: text }) => {
          if (code !== GrpcCode.ok) reject(new GrpcError(code, text));
          else if (answers.length !== 1) reject(new GrpcError(GrpcCode.internal, `peer sent ${answers.length} messages where one is due`));
          else resolve(answers[0]!);
        },
      });
      running.send(message);
      running.halfClose();
    });
  }

  return { unary, stream, close: () => current?.close() };
}

function requestHeaders(method: string, { metadata, timeoutMs }: GrpcCallOptions): OutgoingHttpHeaders {
  return {
    ":method": "POST",
    ":path": method,
    te: "trailers",
    "content-type": "application/grpc",
    "user-agent": `meshctl/${VERSION}`,
    ...(timeoutMs === undefined ? {} : { "grpc-timeout": grpcTimeout(timeoutMs) }),
    ...metadata,
  };
}

/** At most eight digits and a unit. */
function grpcTimeout(timeoutMs: number): string {
  return timeoutMs < 1e8 ? `${Math.max(1, Math.ceil(timeoutMs))}m` : `${Math.min(99_999_999, Math.ceil(timeoutMs / 1000))}S`;
}

function failedStream(call: GrpcCallEvents, error: unknown): GrpcStream {
  let isClosed = false;
  setImmediate(() => {
    if (!isClosed) call.onEnd({ code: GrpcCode.unavailable, message: error instanceof Error ? error.message : String(error) });
  });
  return { send() {}, halfClose() {}, close: () => (isClosed = true) };
}
