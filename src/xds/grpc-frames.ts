// gRPC's length-prefixed messages: one byte "compressed", four bytes length, then the message.

const PREFIX_BYTES = 5;

export function encodeGrpcFrame(message: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + message.length);
  frame[0] = 0;
  frame.writeUInt32BE(message.length, 1);
  frame.set(message, PREFIX_BYTES);
  return frame;
}

/**
 * Cuts received bytes into messages. Each message is copied into a buffer of exactly its size: decoded resources
 * keep their bytes for long, and must not pin the 64 kB blocks that they arrived in.
 */
export class GrpcFrameReader {
  readonly #maxMessageBytes: number;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFill = 0;
  #message: Buffer | undefined;
  #messageFill = 0;

  constructor(maxMessageBytes: number) {
    this.#maxMessageBytes = maxMessageBytes;
  }

  /** True between messages: the peer may end here. */
  get isIdle(): boolean {
    return this.#prefixFill === 0;
  }

  /**
   * Calls `onMessage` for each message that `chunk` completes.
   * @returns what is wrong with the bytes: undefined, or a text after which the reader must not be used again.
   */
  push(chunk: Buffer, onMessage: (message: Uint8Array) => void): { tooLarge: boolean; text: string } | undefined {
    let at = 0;
    while (at < chunk.length) {
      if (this.#message === undefined) {
        const taken = chunk.copy(this.#prefix, this.#prefixFill, at, at + PREFIX_BYTES - this.#prefixFill);
        at += taken;
        this.#prefixFill += taken;
        if (this.#prefixFill < PREFIX_BYTES) return undefined;
        // We announce no grpc-accept-encoding, so nobody may compress.
        if (this.#prefix[0] !== 0) return { tooLarge: false, text: "peer sent a compressed message, which was not offered" };
        const length = this.#prefix.readUInt32BE(1);
        if (length > this.#maxMessageBytes) {
          return { tooLarge: true, text: `message of ${length} bytes is larger than the limit of ${this.#maxMessageBytes}` };
        }
        this.#message = Buffer.allocUnsafeSlow(length);
        this.#messageFill = 0;
      }
      const taken = chunk.copy(this.#message, this.#messageFill, at);
      at += taken;
      this.#messageFill += taken;
      if (this.#messageFill === this.#message.length) {
        const message = this.#message;
        this.#message = undefined;
        this.#prefixFill = 0;
        onMessage(message);
      }
    }
    return undefined;
  }
}
