// Output of one end of a relay. Bytes are copied, so that all relays may read into one buffer, and go to the kernel
// within the read that brought them; while it takes none they gather in blocks, and the other end is told to wait.
import type { Socket } from "node:net";
import { BLOCK_BYTES, type Block } from "../../transport/block-pool.ts";
import type { IoContext } from "../../transport/connection.ts";
import type { Flushable } from "../../transport/flush-queue.ts";

/** With as much unsent the other end is no longer read. */
const HIGH_WATER_BYTES = 131072;

export class RelayOutput implements Flushable {
  readonly #socket: Socket;
  readonly #io: IoContext;
  /** Pieces come in several calls per turn (from TLS: 16 KB each): they go out together at its end. */
  readonly #gathers: boolean;
  readonly #onRoom: () => void;
  #block: Block | undefined = undefined;
  #used = 0;
  /** Written and not taken by the kernel yet, in order. */
  readonly #flying: Block[] = [];
  #isQueued = false;
  #isFull = false;

  /** @param onRoom called when, after `isFull`, there is room again. */
  constructor(socket: Socket, io: IoContext, gathers: boolean, onRoom: () => void) {
    this.#socket = socket;
    this.#io = io;
    this.#gathers = gathers;
    this.#onRoom = onRoom;
  }

  /** Sends buffer[0, length), which may be reused afterwards. */
  write(buffer: Buffer, length: number): void {
    let offset = 0;
    while (offset < length) {
      const block = (this.#block ??= this.#take(length - offset));
      const end = Math.min(length, offset + block.bytes.length - this.#used);
      buffer.copy(block.bytes, this.#used, offset, end);
      this.#used += end - offset;
      offset = end;
      if (this.#used === block.bytes.length) this.#send();
    }
    // What is in flight calls for the rest when it has landed: no message of its own for each small read.
    if (this.#used > 0 && this.#flying.length === 0) {
      if (this.#gathers) this.#enqueue();
      else this.#send();
    }
    if (this.#socket.writableLength + this.#used >= HIGH_WATER_BYTES) this.#isFull = true;
  }

  /** So much is unsent that nothing more should come before onRoom. */
  get isFull(): boolean {
    return this.#isFull;
  }

  /** After what is pending, a FIN. */
  end(): void {
    this.#send();
    if (!this.#socket.destroyed) this.#socket.end();
  }

  flush(): void {
    this.#isQueued = false;
    this.#send();
  }

  #take(length: number): Block {
    const { blocks, relayBlocks } = this.#io;
    return this.#gathers || length > BLOCK_BYTES ? relayBlocks.take() : blocks.take();
  }

  #enqueue(): void {
    if (this.#isQueued) return;
    this.#isQueued = true;
    this.#io.queue.add(this);
  }

  #send(): void {
    const block = this.#block;
    const used = this.#used;
    if (block === undefined || used === 0) return;
    this.#block = undefined;
    this.#used = 0;
    if (this.#socket.destroyed) return block.release();
    this.#flying.push(block);
    this.#socket.write(used === block.bytes.length ? block.bytes : block.bytes.subarray(0, used), this.#onSent);
  }

  readonly #onSent = (error: Error | null | undefined): void => {
    this.#flying.shift()!.release();
    if (error) return; // 'close' follows
    if (this.#flying.length === 0) this.#send();
    if (this.#isFull && this.#socket.writableLength + this.#used < HIGH_WATER_BYTES) {
      this.#isFull = false;
      this.#onRoom();
    }
  };
}
