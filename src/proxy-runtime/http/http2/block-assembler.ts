// Header blocks: put together from HEADERS and CONTINUATION, then decoded (RFC 9113 §4.3). One per connection.
import type { HeaderField } from "../header-field.ts";
import type { LocalSettings } from "./frame-writer.ts";
import { HpackDecoder, DecodeResult } from "./hpack/decoder.ts";

// A block of legal size needs four full frames; what comes in many more is made to cost (the CONTINUATION flood of 2024).
const MAX_FRAMES = 64;

export class BlockAssembler {
  streamId = 0;
  endStream = false;
  isOpen = false;
  dependsOnItself = false;
  /** The last block's fields; a new array each time, for its receiver to keep. */
  fields: HeaderField[] = [];
  /** Names and values of the last block, in bytes. */
  listBytes = 0;
  isTooLarge = false;
  errorDetail = "";
  readonly #decoder: HpackDecoder;
  readonly #maxListBytes: number;
  readonly #maxFields: number;
  #parts: Buffer[] = [];
  #bytes = 0;

  constructor(settings: LocalSettings, maxFields: number, isMesh: boolean) {
    this.#decoder = new HpackDecoder(settings.headerTableBytes, isMesh);
    this.#maxListBytes = settings.maxHeaderListBytes;
    // Pseudo-headers don't count.
    this.#maxFields = maxFields + 8;
  }

  open(streamId: number, endStream: boolean, dependsOnItself: boolean): void {
    this.streamId = streamId;
    this.endStream = endStream;
    this.dependsOnItself = dependsOnItself;
    this.isOpen = true;
  }

  /** A part that is not the last. Answers false when the block is longer than any we take. */
  add(bytes: Buffer, start: number, end: number): boolean {
    this.#parts.push(Buffer.from(bytes.subarray(start, end)));
    this.#bytes += end - start;
    return this.#bytes <= 2 * this.#maxListBytes && this.#parts.length <= MAX_FRAMES;
  }

  /** The last part. Answers false on a compression error. */
  finish(bytes: Buffer, start: number, end: number): boolean {
    this.isOpen = false;
    this.fields = [];
    let result;
    if (this.#parts.length === 0) result = this.#decode(bytes, start, end);
    else {
      const whole = Buffer.concat([...this.#parts, bytes.subarray(start, end)]);
      this.#parts = [];
      this.#bytes = 0;
      result = this.#decode(whole, 0, whole.length);
    }
    this.listBytes = this.#decoder.listBytes;
    this.isTooLarge = result === DecodeResult.listTooLarge;
    this.errorDetail = this.#decoder.errorDetail;
    return result !== DecodeResult.compressionError;
  }

  #decode(bytes: Buffer, start: number, end: number): DecodeResult {
    return this.#decoder.decode(bytes, start, end, this.fields, this.#maxListBytes, this.#maxFields);
  }
}
