// Reused blocks for body bytes on their way out. Fresh buffers of that size are external memory that the garbage
// collector sees too late; reusing them halves the memory of bulk traffic (docs/performance.md).

export const BLOCK_BYTES = 65536;
// What is kept for reuse when traffic has gone; the rest is left to the garbage collector.
const KEPT_BYTES = 32 * BLOCK_BYTES;
// Until then all that were in use at once are kept: fifty relays that give their blocks back in one turn take them again in
// the next, and what was dropped between would be garbage that V8 lets grow beyond 100 MB.
const TRIM_MS = 1000;

export class Block {
  readonly bytes: Buffer;
  /** Gives the block back: the callback of the write that sent it. */
  readonly release: () => void;

  constructor(pool: BlockPool) {
    this.bytes = Buffer.allocUnsafeSlow(pool.blockBytes);
    this.release = () => pool.put(this);
  }
}

export class BlockPool {
  readonly blockBytes: number;
  readonly #kept: number;
  readonly #free: Block[] = [];
  #taken = 0;
  /** Most that were taken at once since the pool was last trimmed. */
  #most = 0;
  #isTrimming = false;

  constructor(blockBytes: number = BLOCK_BYTES) {
    this.blockBytes = blockBytes;
    this.#kept = Math.floor(KEPT_BYTES / blockBytes);
  }

  take(): Block {
    this.#taken += 1;
    if (this.#taken > this.#most) this.#most = this.#taken;
    return this.#free.pop() ?? new Block(this);
  }

  put(block: Block): void {
    this.#taken -= 1;
    this.#free.push(block);
    if (this.#free.length > this.#kept && !this.#isTrimming) this.#trimLater();
  }

  get freeBlocks(): number {
    return this.#free.length;
  }

  #trimLater(): void {
    this.#isTrimming = true;
    setTimeout(this.#trim, TRIM_MS).unref();
  }

  readonly #trim = (): void => {
    this.#isTrimming = false;
    const wanted = Math.max(this.#kept, this.#most - this.#taken);
    if (this.#free.length > wanted) this.#free.length = wanted;
    this.#most = this.#taken;
    if (this.#free.length > this.#kept) this.#trimLater();
  };
}
