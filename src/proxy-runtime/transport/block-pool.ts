// Reused blocks for body bytes on their way out. Fresh buffers of that size are external memory that the garbage
// collector sees too late; reusing them halves the memory of bulk traffic (docs/performance.md).

export const BLOCK_BYTES = 65536;
// What is kept for reuse when traffic has gone; the rest is left to the garbage collector.
const KEPT_BYTES = 32 * BLOCK_BYTES;

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
  readonly #free: Block[] = [];

  constructor(blockBytes: number = BLOCK_BYTES) {
    this.blockBytes = blockBytes;
  }

  take(): Block {
    return this.#free.pop() ?? new Block(this);
  }

  put(block: Block): void {
    if ((this.#free.length + 1) * this.blockBytes <= KEPT_BYTES) this.#free.push(block);
  }
}
