// Reads a DNS query off the wire: RFC 1035 §4.1, EDNS0 as in RFC 6891. Whatever bytes come, it answers and never throws.

export const RecordType = { A: 1, AAAA: 28, OPT: 41, ANY: 255 } as const;
export const ResponseCode = {
  noError: 0,
  formatError: 1,
  serverFailure: 2,
  nameError: 3,
  notImplemented: 4,
  refused: 5,
  badVersion: 16,
} as const;
export const CLASS_IN = 1;
export const HEADER_BYTES = 12;

// RFC 6891 §6.2.3: less is treated as 512.
const MIN_UDP_BYTES = 512;
const POINTER_BITS = 0xc0;
const MAX_NAME_BYTES = 255;

export interface Query {
  readonly id: number;
  readonly opcode: number;
  readonly recursionDesired: boolean;
  /** Lower case, without the last dot; a byte that is no plain letter of a host name stands as `\ddd`. */
  readonly name: string;
  readonly type: number;
  readonly class: number;
  /** The question as the client wrote it, with its case. */
  readonly question: Uint8Array;
  readonly edns: { readonly udpBytes: number; readonly version: number } | undefined;
}

/** What can still be said to a client whose query makes no sense: its id. */
export interface Unreadable {
  readonly unreadable: true;
  readonly id: number;
}

/** The query; what to refuse; or undefined for what deserves no answer (a response, or no whole header). */
export function readQuery(message: Uint8Array): Query | Unreadable | undefined {
  if (message.length < HEADER_BYTES) return undefined;
  const view = new DataView(message.buffer, message.byteOffset, message.byteLength);
  const flags = view.getUint16(2);
  // QR: answering answers would let two servers talk for ever.
  if ((flags & 0x8000) !== 0) return undefined;
  const id = view.getUint16(0);
  const opcode = (flags >> 11) & 15;
  const unreadable: Unreadable = { unreadable: true, id };
  if (view.getUint16(4) !== 1 || view.getUint16(6) !== 0) return unreadable;
  const name = readName(message, HEADER_BYTES);
  if (name === undefined || name.end + 4 > message.length) return unreadable;
  const end = name.end + 4;
  const edns = readEdns(message, end, view.getUint16(8) + view.getUint16(10));
  if (edns === "malformed") return unreadable;
  return {
    id,
    opcode,
    recursionDesired: (flags & 0x0100) !== 0,
    name: name.text,
    type: view.getUint16(name.end),
    class: view.getUint16(name.end + 2),
    question: message.subarray(HEADER_BYTES, end),
    edns,
  };
}

/** A name without compression, as a question has it; undefined for anything else. */
function readName(message: Uint8Array, start: number): { readonly text: string; readonly end: number } | undefined {
  let text = "";
  let at = start;
  for (;;) {
    const length = message[at];
    if (length === undefined || (length & POINTER_BITS) !== 0 || at + length - start >= MAX_NAME_BYTES) return undefined;
    at++;
    if (length === 0) return { text, end: at };
    if (at + length > message.length) return undefined;
    if (text !== "") text += ".";
    for (const end = at + length; at < end; at++) text += readable(message[at]!);
  }
}

function readable(byte: number): string {
  if (byte >= 0x41 && byte <= 0x5a) return String.fromCharCode(byte + 32);
  const isPlain = (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x30 && byte <= 0x39) || byte === 0x2d || byte === 0x5f || byte === 0x2a;
  return isPlain ? String.fromCharCode(byte) : `\\${String(byte).padStart(3, "0")}`;
}

/** Looks for OPT among the records behind the question. */
function readEdns(message: Uint8Array, start: number, records: number): Query["edns"] | "malformed" {
  let found: Query["edns"];
  let at = start;
  for (let record = 0; record < records; record++) {
    const owner = at;
    while (message[at] !== undefined && message[at] !== 0 && (message[at]! & POINTER_BITS) === 0) at += 1 + message[at]!;
    at += ((message[at] ?? 0) & POINTER_BITS) === POINTER_BITS ? 2 : 1;
    if (at + 10 > message.length) return "malformed";
    const view = new DataView(message.buffer, message.byteOffset + at, 10);
    if (view.getUint16(0) === RecordType.OPT) {
      // RFC 6891 §6.1.1: one OPT, owned by the root.
      if (found !== undefined || at !== owner + 1) return "malformed";
      found = { udpBytes: Math.max(view.getUint16(2), MIN_UDP_BYTES), version: view.getUint8(5) };
    }
    at += 10 + view.getUint16(8);
    if (at > message.length) return "malformed";
  }
  return found;
}
