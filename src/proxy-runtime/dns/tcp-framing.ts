// DNS over TCP: every message behind its length in two bytes (RFC 1035 §4.2.2).

export function frame(message: Uint8Array): Buffer {
  const framed = Buffer.allocUnsafe(2 + message.length);
  framed.writeUInt16BE(message.length, 0);
  framed.set(message, 2);
  return framed;
}

/** Cuts a byte stream into messages. They are copies: the receiver may change and keep them. */
export class MessageReader {
  readonly #onMessage: (message: Buffer) => void;
  #chunks: Buffer[] = [];
  #held = 0;
  /** Bytes without which there is nothing to cut: chunks are only joined when they are there. */
  #needed = 2;

  constructor(onMessage: (message: Buffer) => void) {
    this.#onMessage = onMessage;
  }

  push(chunk: Buffer): void {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    if (this.#held < this.#needed) return;
    let bytes = this.#chunks.length === 1 ? chunk : Buffer.concat(this.#chunks);
    this.#needed = 2;
    while (bytes.length >= 2) {
      const end = 2 + bytes.readUInt16BE(0);
      this.#needed = end;
      if (bytes.length < end) break;
      this.#onMessage(Buffer.from(bytes.subarray(2, end)));
      bytes = bytes.subarray(end);
      this.#needed = 2;
    }
    this.#chunks = [bytes];
    this.#held = bytes.length;
  }
}
