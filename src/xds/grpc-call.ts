// One gRPC call on an HTTP/2 stream of node:http2: frames out, messages in, and exactly one status at the end.
import type { ClientHttp2Stream, IncomingHttpHeaders } from "node:http2";
import { constants } from "node:http2";
import { encodeGrpcFrame, GrpcFrameReader } from "./grpc-frames.ts";
import { codeFromHttpStatus, codeFromReset, GrpcCode, statusFromHeaders } from "./grpc-status.ts";
import type { GrpcStatus } from "./grpc-status.ts";

export interface GrpcCallEvents {
  /** A whole message, in a buffer of its own. */
  readonly onMessage: (message: Uint8Array) => void;
  /** Exactly once, last. Code 0 is OK. Not called after close(). */
  readonly onEnd: (status: GrpcStatus) => void;
}

export class GrpcCall {
  readonly #stream: ClientHttp2Stream;
  readonly #events: GrpcCallEvents;
  readonly #frames: GrpcFrameReader;
  readonly #connectionFailure: () => string | undefined;
  readonly #onDone: () => void;
  #deadline: NodeJS.Timeout | undefined;
  #status: GrpcStatus | undefined;
  #httpProblem: GrpcStatus | undefined;
  #isEnded = false;
  #isDone = false;

  /**
   * @param connectionFailure why the whole connection is gone; undefined while it lives.
   * @param timeoutMs deadline of the whole call; undefined: none.
   * @param onDone the call needs the connection no longer.
   */
  constructor(
    stream: ClientHttp2Stream,
    events: GrpcCallEvents,
    options: { maxMessageBytes: number; timeoutMs: number | undefined; connectionFailure: () => string | undefined; onDone: () => void },
  ) {
    this.#stream = stream;
    this.#events = events;
    this.#frames = new GrpcFrameReader(options.maxMessageBytes);
    this.#connectionFailure = options.connectionFailure;
    this.#onDone = options.onDone;
    if (options.timeoutMs !== undefined) {
      const text = `deadline of ${options.timeoutMs} ms exceeded`;
      this.#deadline = setTimeout(() => this.#fail(GrpcCode.deadlineExceeded, text), options.timeoutMs);
    }
    stream.on("response", (headers) => this.#onResponse(headers));
    stream.on("trailers", (headers) => {
      this.#status = statusFromHeaders(headers);
      this.#finishIfComplete();
    });
    stream.on("data", (chunk: Buffer) => this.#onData(chunk));
    stream.on("end", () => {
      this.#isEnded = true;
      this.#finishIfComplete();
      // Node 26 may emit "end" before the "trailers" of the same frame; and a peer that ends without trailers
      // leaves our half open, so that "close" would never come.
      setImmediate(() => this.#finishWithoutStatus());
    });
    stream.on("error", () => {}); // "close" follows and tells the rest
    stream.on("close", () => this.#finishWithoutStatus());
  }

  /** Sends one message; ignored after the end. */
  send(message: Uint8Array): void {
    if (this.#isDone || this.#stream.destroyed || this.#stream.writableEnded) return;
    this.#stream.write(encodeGrpcFrame(message));
  }

  /** Tells the peer that no more messages come; answers still do. */
  halfClose(): void {
    if (!this.#isDone) this.#stream.end();
  }

  /** Cancels the call; no callback comes any more. */
  close(): void {
    if (this.#release()) this.#stream.close(constants.NGHTTP2_CANCEL);
  }

  #onResponse(headers: IncomingHttpHeaders & { ":status"?: number }): void {
    this.#status = statusFromHeaders(headers); // a trailers-only answer
    if (this.#status !== undefined) return;
    const httpStatus = headers[":status"] ?? 0;
    const contentType = headers["content-type"] ?? "";
    if (httpStatus !== 200) {
      this.#httpProblem = { code: codeFromHttpStatus(httpStatus), message: `peer answered HTTP status ${httpStatus}` };
    } else if (!contentType.startsWith("application/grpc")) {
      this.#httpProblem = { code: GrpcCode.unknown, message: `peer answered with content-type "${contentType}", not gRPC` };
    }
  }

  #onData(chunk: Buffer): void {
    if (this.#isDone || this.#httpProblem !== undefined) return;
    const problem = this.#frames.push(chunk, (message) => {
      if (!this.#isDone) this.#events.onMessage(message);
    });
    if (problem !== undefined) this.#fail(problem.tooLarge ? GrpcCode.resourceExhausted : GrpcCode.internal, problem.text);
  }

  #finishIfComplete(): void {
    if (!this.#isEnded || this.#status === undefined) return;
    if (this.#status.code === GrpcCode.ok && !this.#frames.isIdle) {
      this.#fail(GrpcCode.internal, "peer ended within a message");
    } else {
      this.#finish(this.#status, constants.NGHTTP2_NO_ERROR);
    }
  }

  #finishWithoutStatus(): void {
    if (this.#isDone) return;
    const lost = this.#connectionFailure();
    if (this.#status !== undefined) {
      this.#isEnded = true;
      this.#finishIfComplete();
    } else if (this.#httpProblem !== undefined) {
      this.#fail(this.#httpProblem.code, this.#httpProblem.message);
    } else if (lost !== undefined) {
      this.#fail(GrpcCode.unavailable, lost);
    } else if (this.#isEnded) {
      this.#fail(GrpcCode.internal, "peer ended the call without a status");
    } else {
      const resetCode = this.#stream.rstCode ?? constants.NGHTTP2_INTERNAL_ERROR;
      this.#fail(codeFromReset(resetCode), `peer reset the call (HTTP/2 error code ${resetCode})`);
    }
  }

  #fail(code: number, message: string): void {
    this.#finish({ code, message }, constants.NGHTTP2_CANCEL);
  }

  #finish(status: GrpcStatus, resetCode: number): void {
    if (!this.#release()) return;
    if (!this.#stream.destroyed) this.#stream.close(resetCode);
    this.#events.onEnd(status);
  }

  #release(): boolean {
    if (this.#isDone) return false;
    this.#isDone = true;
    clearTimeout(this.#deadline);
    this.#onDone();
    return true;
  }
}
