// Reads one HTTP/1 message body of any framing, from bytes cut anywhere. Chunk sizes, extensions and line ends are
// checked to the letter (RFC 9112 §7.1): a lenient reader here is how requests are smuggled.
import type { HeaderList } from "../header-list.ts";
import { INCOMPLETE, REFUSED, type Framing, type HeadParser } from "./head-parser.ts";

export interface BodySink {
  /** A piece of body, a view valid during the call. Answers false to stop reading; the rest stays with the caller. */
  onBody(piece: Uint8Array, end: boolean): boolean;
  /** The body ended with trailers. */
  onBodyTrailers(trailers: HeaderList): void;
}

const STATES = { done: 0, length: 1, untilClose: 2, size: 3, extension: 4, sizeLf: 5, data: 6, dataCr: 7, dataLf: 8, trailers: 9 } as const;
type State = (typeof STATES)[keyof typeof STATES];
const { done: DONE, length: LENGTH, untilClose: UNTIL_CLOSE, size: SIZE, extension: EXTENSION, sizeLf: SIZE_LF, data: DATA } = STATES;
const { dataCr: DATA_CR, dataLf: DATA_LF, trailers: TRAILERS } = STATES;

const CR = 13;
const LF = 10;
const SEMICOLON = 59;
const MAX_EXTENSION_BYTES = 4096;
// 2^48: sizes beyond would lose precision when multiplied by 16.
const MAX_SIZE_DIGITS = 12;
const EMPTY = Buffer.alloc(0);

const HEX = new Int8Array(256).fill(-1);
for (let digit = 0; digit < 16; digit += 1) {
  HEX[digit.toString(16).charCodeAt(0)] = digit;
  HEX[digit.toString(16).toUpperCase().charCodeAt(0)] = digit;
}

export class BodyReader {
  readonly #parser: HeadParser;
  #state: State = DONE;
  #remaining = 0;
  #digits = 0;
  #extensionBytes = 0;
  errorDetail = "";

  /** @param parser the connection's own, for trailers. */
  constructor(parser: HeadParser) {
    this.#parser = parser;
  }

  start(framing: Framing): void {
    this.#remaining = 0;
    this.#digits = 0;
    this.#extensionBytes = 0;
    if (framing.kind === "length") {
      this.#state = LENGTH;
      this.#remaining = framing.length;
    } else if (framing.kind === "chunked") this.#state = SIZE;
    else if (framing.kind === "until-close") this.#state = UNTIL_CLOSE;
    else this.#state = DONE;
  }

  get isDone(): boolean {
    return this.#state === DONE;
  }

  /** True where the end of the connection is the end of the body. */
  get endsWithConnection(): boolean {
    return this.#state === UNTIL_CLOSE;
  }

  /** Abandons the body: what follows belongs to nobody. */
  stop(): void {
    this.#state = DONE;
  }

  /**
   * Reads from bytes[start, end). Returns the offset behind what was used (less than `end` when done, stopped by the
   * sink, or when trailers are not whole yet), or REFUSED with `errorDetail`.
   */
  read(bytes: Buffer, start: number, end: number, sink: BodySink): number {
    let at = start;
    while (at < end && this.#state !== DONE) {
      switch (this.#state) {
        case LENGTH:
        case DATA: {
          const size = Math.min(this.#remaining, end - at);
          const piece = bytes.subarray(at, at + size);
          at += size;
          this.#remaining -= size;
          let last = false;
          if (this.#remaining === 0) {
            last = this.#state === LENGTH;
            this.#state = last ? DONE : DATA_CR;
          }
          if (!sink.onBody(piece, last)) return at;
          break;
        }
        case UNTIL_CLOSE:
          sink.onBody(bytes.subarray(at, end), false);
          return end;
        case SIZE: {
          const digit = HEX[bytes[at]!]!;
          if (digit >= 0) {
            this.#digits += 1;
            if (this.#digits > MAX_SIZE_DIGITS) return this.#refuse("chunk size too large");
            this.#remaining = this.#remaining * 16 + digit;
          } else if (this.#digits === 0) return this.#refuse("invalid chunk size");
          else if (bytes[at] === CR) this.#state = SIZE_LF;
          else if (bytes[at] === SEMICOLON) this.#state = EXTENSION;
          else return this.#refuse("invalid chunk size");
          at += 1;
          break;
        }
        case EXTENSION: {
          const byte = bytes[at]!;
          this.#extensionBytes += 1;
          if (this.#extensionBytes > MAX_EXTENSION_BYTES) return this.#refuse("chunk extensions too large");
          if (byte === CR) this.#state = SIZE_LF;
          else if (byte !== 9 && (byte < 32 || byte === 127)) return this.#refuse("invalid chunk extension");
          at += 1;
          break;
        }
        case SIZE_LF:
          if (bytes[at] !== LF) return this.#refuse("chunk size does not end in CRLF");
          at += 1;
          this.#digits = 0;
          this.#state = this.#remaining === 0 ? TRAILERS : DATA;
          break;
        case DATA_CR:
          if (bytes[at] !== CR) return this.#refuse("chunk does not end in CRLF");
          at += 1;
          this.#state = DATA_LF;
          break;
        case DATA_LF:
          if (bytes[at] !== LF) return this.#refuse("chunk does not end in CRLF");
          at += 1;
          this.#state = SIZE;
          break;
        case TRAILERS: {
          const next = this.#parser.parseTrailers(bytes, at, end);
          if (next === INCOMPLETE) return at;
          if (next === REFUSED) return this.#refuse(this.#parser.errorDetail);
          this.#state = DONE;
          if (this.#parser.headers.ids.length > 0) sink.onBodyTrailers(this.#parser.headers);
          else sink.onBody(EMPTY, true);
          return next;
        }
      }
    }
    return at;
  }

  #refuse(detail: string): number {
    this.errorDetail = detail;
    return REFUSED;
  }
}
