// A socket as codecs see it: bytes in through the shared buffer, bytes out through one writer, and one close.
import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import type { Counter } from "../telemetry/stats-store.ts";
import type { BlockPool } from "./block-pool.ts";
import type { FlushQueue } from "./flush-queue.ts";
import { resetSocket } from "./reset.ts";
import { SocketWriter } from "./socket-writer.ts";
import type { SharedReadBuffer } from "./shared-read-buffer.ts";
import type { TurnBudget } from "./turn-budget.ts";
import { beginTurn, endTurn } from "./turn-clock.ts";

/** What sockets of one thread share. Made once by proxy.ts. */
export interface IoContext {
  readonly reads: SharedReadBuffer;
  readonly queue: FlushQueue;
  readonly blocks: BlockPool;
  /** For connections whose bytes are relayed: of RELAY_READ_BYTES. */
  readonly relayReads: SharedReadBuffer;
  readonly relayBlocks: BlockPool;
  readonly relayTurn: TurnBudget;
  /** A bug of ours came up while a connection was served; the connection has been ended, the process goes on. */
  readonly onInternalError: (thrown: unknown) => void;
}

/** `code` of the error that onClose gets for a connection that a bug of ours has ended. */
export const INTERNAL_ERROR = "ERR_MESHCTL_INTERNAL";

/** What a codec or relay does with a connection. Whatever it throws ends this connection and no other. */
export interface ConnectionReceiver {
  /** buffer[0, length), valid during the call. */
  onBytes(buffer: Buffer, length: number): void;
  /** The peer sent FIN; the other direction may still be open. */
  onEnd(): void;
  /** There is room again after `isBlocked`. */
  onWritable(): void;
  /** Once, last. `error` is the socket's, if any. */
  onClose(error: NodeJS.ErrnoException | undefined): void;
}

export class Connection {
  readonly socket: Socket | TLSSocket;
  readonly writer: SocketWriter;
  readonly #io: IoContext;
  #receiver: ConnectionReceiver | undefined;
  #error: NodeJS.ErrnoException | undefined = undefined;
  #received: Counter | undefined = undefined;
  #paused = false;
  #ended = false;

  constructor(socket: Socket | TLSSocket, io: IoContext) {
    this.socket = socket;
    this.#io = io;
    this.#receiver = undefined;
    this.writer = new SocketWriter(socket, io.queue, io.blocks, io.relayBlocks, this.#onDrain);
    socket.on("error", this.#onError);
    socket.on("close", this.#onClose);
    socket.on("drain", this.#onDrain);
    socket.on("end", this.#onEnd);
  }

  /** Hands the connection to a codec. Bytes flow from here on; for sockets opened with `onread`, pass `attached`. */
  start(receiver: ConnectionReceiver, attached: boolean): void {
    this.#receiver = receiver;
    if (attached) return;
    this.#io.reads.attach(this.socket, this.onBytes);
  }

  /** Counts bytes by reads and writes; without TLS's own. */
  count(received: Counter, sent: Counter): void {
    this.#received = received;
    this.writer.sent = sent;
  }

  /** The read callback, also for `onread` of sockets that we open. */
  readonly onBytes = (buffer: Buffer, length: number): boolean => {
    this.#received?.add(length);
    beginTurn();
    try {
      this.#receiver?.onBytes(buffer, length);
    } catch (thrown) {
      this.#onThrown(thrown);
    }
    endTurn();
    return !this.#paused;
  };

  pause(): void {
    if (this.#paused) return;
    this.#paused = true;
    this.socket.pause();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (!this.socket.destroyed) this.socket.resume();
  }

  /** What the peer's kernel has not been given yet, ours included as far as Node tells; shrinks while the peer reads. */
  get unsentBytes(): number {
    // Node's own socket timeout looks at the same field (net.js, Node 26): a large write counts as one until it is done.
    const handle = (this.socket as unknown as { _handle: { writeQueueSize?: number } | null })._handle;
    return this.writer.pendingBytes + (handle?.writeQueueSize ?? 0);
  }

  get isPaused(): boolean {
    return this.#paused;
  }

  get isEnded(): boolean {
    return this.#ended;
  }

  /** Sends what is pending, then FIN. */
  end(): void {
    this.writer.end();
  }

  /** Closes at once; with `reset` the peer sees RST. */
  destroy(reset = false): void {
    if (this.socket.destroyed) return;
    if (reset) resetSocket(this.socket);
    else this.socket.destroy();
  }

  /** A bug of ours has come up that ends a part of what the connection carries, and not all of it. */
  reportBug(thrown: unknown): void {
    this.#io.onInternalError(thrown);
  }

  readonly #onError = (error: NodeJS.ErrnoException): void => {
    this.#error ??= error;
  };

  readonly #onEnd = (): void => {
    this.#ended = true;
    try {
      this.#receiver?.onEnd();
    } catch (thrown) {
      this.#onThrown(thrown);
    }
  };

  readonly #onDrain = (): void => {
    try {
      this.#receiver?.onWritable();
    } catch (thrown) {
      this.#onThrown(thrown);
    }
  };

  readonly #onClose = (): void => {
    const receiver = this.#receiver;
    this.#receiver = undefined;
    try {
      receiver?.onClose(this.#error);
    } catch (thrown) {
      this.#io.onInternalError(thrown);
    }
  };

  #onThrown(thrown: unknown): void {
    this.#io.onInternalError(thrown);
    this.#error ??= Object.assign(new Error(thrown instanceof Error ? thrown.message : String(thrown)), { code: INTERNAL_ERROR });
    this.destroy(true);
  }
}
