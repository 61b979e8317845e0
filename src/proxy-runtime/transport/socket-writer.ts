// Output of one socket, gathered during a turn of the event loop and sent in one write. Small messages are one latin1
// string, head and body together; larger ones are copied into reused blocks. Order is kept across both.
//
// Node's TLS sockets copy whatever is written while a write is under way into fresh memory (TLSWrap::DoWrite, Node 26.10):
// they get one block at a time, and the next ones, larger, gather meanwhile.
import type { Socket } from "node:net";
import type { Counter } from "../telemetry/stats-store.ts";
import type { Block, BlockPool } from "./block-pool.ts";
import { DirectWriter } from "./direct-write.ts";
import type { FlushQueue, Flushable } from "./flush-queue.ts";
import { RELAY_READ_BYTES } from "./shared-read-buffer.ts";

// Up to here joining bytes to the head's string is cheaper than a block.
const SMALL_BYTES = 4096;
const MAX_TEXT = 32768;
/**
 * With more than this unsent the sender is asked to stop. As long as the largest block: what has not been written yet must
 * not do it alone, since a write that the kernel takes at once brings no 'drain' (Node 26.10).
 */
export const WRITE_HIGH_WATER = RELAY_READ_BYTES;
/** What the streams of one connection have in hand when they are asked to stop still fits in below this. */
const WRITE_LIMIT = 4 * WRITE_HIGH_WATER;

interface FullBlock {
  readonly block: Block;
  readonly used: number;
}

export class SocketWriter implements Flushable {
  readonly #socket: Socket;
  readonly #queue: FlushQueue;
  readonly #blocks: BlockPool;
  readonly #largeBlocks: BlockPool;
  readonly #onDrain: () => void;
  readonly #isTls: boolean;
  /** Counts bytes as they go out. */
  sent: Counter | undefined = undefined;
  #direct: DirectWriter | undefined = undefined;
  #isDirectSought = false;
  #text = "";
  #block: Block | undefined = undefined;
  #used = 0;
  /** With TLS: the block that is being written, and the full ones behind it. */
  #flying: Block | undefined = undefined;
  #full: FullBlock[] | undefined = undefined;
  #fullBytes = 0;
  #queued = false;
  #ending = false;

  /**
   * @param largeBlocks of at most WRITE_HIGH_WATER bytes, for what gathers while a TLS socket is busy.
   * @param onDrain as the socket's 'drain': what was unsent has been taken.
   */
  constructor(socket: Socket, queue: FlushQueue, blocks: BlockPool, largeBlocks: BlockPool, onDrain: () => void) {
    this.#socket = socket;
    this.#queue = queue;
    this.#blocks = blocks;
    this.#largeBlocks = largeBlocks;
    this.#onDrain = onDrain;
    this.#isTls = "encrypted" in socket;
  }

  /** Appends latin1 text, such as a head. */
  writeText(text: string): void {
    if (this.#block !== undefined && this.#used + text.length <= this.#block.bytes.length) {
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
    if (this.#used + length > block.bytes.length) {
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
    const block = (this.#block = (this.#flying === undefined ? this.#blocks : this.#largeBlocks).take());
    this.#used = this.#text.length > 0 ? block.bytes.latin1Write(this.#text, 0) : 0;
    this.#text = "";
    return block;
  }

  #copy(view: Uint8Array): void {
    let block = this.#block ?? this.#startBlock();
    let offset = 0;
    while (offset < view.length) {
      const room = block.bytes.length - this.#used;
      if (room === 0) {
        this.#sendBlock();
        block = this.#startBlock();
        continue;
      }
      const piece = view.length <= room && offset === 0 ? view : view.subarray(offset, offset + room);
      block.bytes.set(piece, this.#used);
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

  /** True while nothing more should be written at all. */
  get isFull(): boolean {
    return this.pendingBytes > WRITE_LIMIT;
  }

  /** Bytes not yet taken by the kernel. */
  get pendingBytes(): number {
    return this.#socket.writableLength + this.#text.length + this.#used + this.#fullBytes + (this.#direct?.pendingBytes ?? 0);
  }

  flush(): void {
    this.#queued = false;
    // What is under way calls for the rest when it has landed.
    if (this.#flying !== undefined) return;
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
    // A head may be larger than a block.
    if (this.#flying !== undefined) return this.#copy(Buffer.from(text, "latin1"));
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
    else if (this.#flying !== undefined) {
      (this.#full ??= []).push({ block, used });
      this.#fullBytes += used;
    } else this.#write(block, used);
  }

  #write(block: Block, used: number): void {
    this.sent?.add(used);
    const bytes = used === block.bytes.length ? block.bytes : block.bytes.subarray(0, used);
    if (!this.#isTls) return void this.#socket.write(bytes, block.release);
    this.#flying = block;
    this.#socket.write(bytes, this.#onLanded);
  }

  readonly #onLanded = (error: Error | null | undefined): void => {
    this.#flying!.release();
    this.#flying = undefined;
    if (error || this.#socket.destroyed) return this.#dropFull(); // 'close' follows
    const next = this.#full?.shift();
    if (next !== undefined) {
      this.#fullBytes -= next.used;
      this.#write(next.block, next.used);
    } else if (this.#used > 0 || this.#text.length > 0 || this.#ending) this.#enqueue();
  };

  #dropFull(): void {
    for (const { block } of this.#full ?? []) block.release();
    this.#full = undefined;
    this.#fullBytes = 0;
  }

  #enqueue(): void {
    if (this.#queued) return;
    this.#queued = true;
    this.#queue.add(this);
  }
}
