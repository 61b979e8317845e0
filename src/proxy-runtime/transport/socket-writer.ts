// Output of one socket, gathered during a turn of the event loop and sent in one write. Small messages are one latin1
// string, head and body together; larger ones are copied into reused blocks. Order is kept across both.
import type { Socket } from "node:net";
import type { Counter } from "../telemetry/stats-store.ts";
import { BLOCK_BYTES, type Block, type BlockPool } from "./block-pool.ts";
import { DirectWriter } from "./direct-write.ts";
import type { FlushQueue, Flushable } from "./flush-queue.ts";

// Up to here joining bytes to the head's string is cheaper than a block.
const SMALL_BYTES = 4096;
const MAX_TEXT = 32768;
/** With more than this unsent the sender is asked to stop. */
export const WRITE_HIGH_WATER = 262144;

export class SocketWriter implements Flushable {
  readonly #socket: Socket;
  readonly #queue: FlushQueue;
  readonly #blocks: BlockPool;
  readonly #onDrain: () => void;
  /** Counts bytes as they go out. */
  sent: Counter | undefined = undefined;
  #direct: DirectWriter | undefined = undefined;
  #isDirectSought = false;
  #text = "";
  #block: Block | undefined = undefined;
  #used = 0;
  #queued = false;
  #ending = false;

  /** @param onDrain as the socket's 'drain': what was unsent has been taken. */
  constructor(socket: Socket, queue: FlushQueue, blocks: BlockPool, onDrain: () => void) {
    this.#socket = socket;
    this.#queue = queue;
    this.#blocks = blocks;
    this.#onDrain = onDrain;
  }

  /** Appends latin1 text, such as a head. */
  writeText(text: string): void {
    if (this.#block !== undefined && this.#used + text.length <= BLOCK_BYTES) {
      this.#used += this.#block.bytes.latin1Write(text, this.#used);
    } else {
      this.#sendBlock();
      this.#text += text;
      if (this.#text.length > MAX_TEXT) this.#sendText();
    }
    this.#enqueue();
  }

  /** Appends bytes; they are copied, the view may be reused at once. */
  writeBytes(view: Uint8Array): void {
    const length = view.length;
    if (length === 0) return;
    if (this.#block === undefined && length <= SMALL_BYTES && this.#text.length + length <= MAX_TEXT) {
      this.#text += (view as Buffer).latin1Slice(0, length);
    } else {
      this.#copy(view);
    }
    this.#enqueue();
  }

  /**
   * Room for `length` bytes (at most BLOCK_BYTES) that the caller writes itself, from `offset` of the returned buffer,
   * and then commits; nothing else may be written in between.
   */
  reserve(length: number): Buffer {
    let block = this.#block ?? this.#startBlock();
    if (this.#used + length > BLOCK_BYTES) {
      this.#sendBlock();
      block = this.#startBlock();
    }
    return block.bytes;
  }

  get offset(): number {
    return this.#used;
  }

  /** The bytes before `offset` are written. */
  commit(offset: number): void {
    this.#used = offset;
    this.#enqueue();
  }

  #startBlock(): Block {
    const block = (this.#block = this.#blocks.take());
    this.#used = this.#text.length > 0 ? block.bytes.latin1Write(this.#text, 0) : 0;
    this.#text = "";
    return block;
  }

  #copy(view: Uint8Array): void {
    if (this.#block === undefined) this.#startBlock();
    let offset = 0;
    while (offset < view.length) {
      const room = BLOCK_BYTES - this.#used;
      if (room === 0) {
        this.#sendBlock();
        this.#block = this.#blocks.take();
        continue;
      }
      const piece = view.length - offset <= room ? view.subarray(offset) : view.subarray(offset, offset + room);
      this.#block!.bytes.set(piece, this.#used);
      this.#used += piece.length;
      offset += piece.length;
    }
  }

  /** After what is pending, a FIN. */
  end(): void {
    this.#ending = true;
    this.#enqueue();
  }

  /** True while so much is unsent that the sender should stop; the socket's 'drain' tells when it may go on. */
  get isBlocked(): boolean {
    return this.pendingBytes > WRITE_HIGH_WATER;
  }

  /** Bytes not yet taken by the kernel. */
  get pendingBytes(): number {
    return this.#socket.writableLength + this.#text.length + this.#used + (this.#direct?.pendingBytes ?? 0);
  }

  flush(): void {
    this.#queued = false;
    this.#sendText();
    this.#sendBlock();
    if (this.#ending) {
      this.#ending = false;
      if (!this.#socket.destroyed) this.#socket.end();
    }
  }

  #sendText(): void {
    if (this.#text.length === 0) return;
    const text = this.#text;
    this.#text = "";
    if (this.#socket.destroyed) return;
    if (!this.#isDirectSought) {
      this.#isDirectSought = true;
      this.#direct = DirectWriter.of(this.#socket, this.#onDrain);
    }
    this.sent?.add(text.length);
    if (this.#direct === undefined || !this.#direct.write(text)) this.#socket.write(text, "latin1");
  }

  #sendBlock(): void {
    const block = this.#block;
    if (block === undefined) return;
    const used = this.#used;
    this.#block = undefined;
    this.#used = 0;
    if (this.#socket.destroyed) block.release();
    else {
      this.sent?.add(used);
      this.#socket.write(used === BLOCK_BYTES ? block.bytes : block.bytes.subarray(0, used), block.release);
    }
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#queue.add(this);
  }
}
