// A socket without a network: a test feeds the connection by hand and sees what was written.
import { Duplex } from "node:stream";
import type { Socket } from "node:net";
import { BlockPool } from "../../src/proxy-runtime/transport/block-pool.ts";
import { Connection, type IoContext } from "../../src/proxy-runtime/transport/connection.ts";
import { FlushQueue } from "../../src/proxy-runtime/transport/flush-queue.ts";
import { RELAY_READ_BYTES, SharedReadBuffer } from "../../src/proxy-runtime/transport/shared-read-buffer.ts";
import { TurnBudget } from "../../src/proxy-runtime/transport/turn-budget.ts";

class SilentSocket extends Duplex {
  written = "";
  /** Finishes the write under way, where writes are held back. */
  finishWrite: (() => void) | undefined;
  isHeld = false;

  override _read(): void {}

  override _write(chunk: Buffer, _encoding: string, done: () => void): void {
    this.written += chunk.latin1Slice(0, chunk.length);
    if (this.isHeld) this.finishWrite = done;
    else done();
  }

  resetAndDestroy(): void {
    this.destroy();
  }
}

const queue = new FlushQueue();

export const TEST_IO: IoContext = {
  reads: new SharedReadBuffer(),
  queue,
  blocks: new BlockPool(),
  relayReads: new SharedReadBuffer(RELAY_READ_BYTES),
  relayBlocks: new BlockPool(RELAY_READ_BYTES),
  relayTurn: new TurnBudget(queue),
  onInternalError(thrown) {
    throw thrown;
  },
};
// One read buffer for all, reused at once: what a codec keeps without copying is garbled.
const SHARED = Buffer.alloc(65536);

export class FedSocket {
  readonly connection: Connection;
  readonly #socket = new SilentSocket({ allowHalfOpen: true });

  constructor() {
    this.connection = new Connection(this.#socket as unknown as Socket, TEST_IO);
  }

  /** Everything written so far. */
  get written(): string {
    TEST_IO.queue.flush();
    return this.#socket.written;
  }

  /** From now on a write is under way until `releaseWrite`: a peer that reads slowly. */
  holdWrites(): void {
    this.#socket.isHeld = true;
  }

  /** Answers false when nothing was under way. */
  releaseWrite(): boolean {
    const finish = this.#socket.finishWrite;
    this.#socket.finishWrite = undefined;
    finish?.();
    return finish !== undefined;
  }

  get isDestroyed(): boolean {
    return this.#socket.destroyed;
  }

  /** It has sent its end, or is destroyed. */
  get isEnded(): boolean {
    TEST_IO.queue.flush();
    return this.#socket.writableEnded || this.#socket.destroyed;
  }

  /** Delivers bytes as a read would, in pieces of at most the read buffer's size. Call after connection.start. */
  feed(bytes: Uint8Array | string): void {
    const all = typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes;
    for (let at = 0; at < all.length; at += SHARED.length) {
      const piece = all.subarray(at, at + SHARED.length);
      SHARED.set(piece);
      this.connection.onBytes(SHARED, piece.length);
      // The end of the loop's turn.
      TEST_IO.queue.flush();
      SHARED.fill(0x58, 0, piece.length);
    }
  }
}
