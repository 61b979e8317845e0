// The Huffman code of HPACK (RFC 7541 §5.2 and Appendix B). The code is canonical: its lengths alone give the bits. It is
// decoded half a byte at a time by a machine whose states are the tree's inner nodes, without a branch per symbol.

// Lengths in bits, as runs: length, then how many symbols of it follow each other, from symbol 0 to EOS (256).
// prettier-ignore
const LENGTH_RUNS = [
  13, 1, 23, 1, 28, 7, 24, 1, 30, 1, 28, 2, 30, 1, 28, 8, 30, 1, 28, 9, // control bytes
  6, 1, 10, 2, 12, 1, 13, 1, 6, 1, 8, 1, 11, 1, 10, 2, 8, 1, 11, 1, 8, 1, 6, 3, // space to /
  5, 3, 6, 7, 7, 1, 8, 1, 15, 1, 6, 1, 12, 1, 10, 1, 13, 1, // 0 to @
  6, 1, 7, 22, 8, 1, 7, 1, 8, 1, 13, 1, 19, 1, 13, 1, 14, 1, 6, 1, 15, 1, // A to `
  5, 1, 6, 1, 5, 1, 6, 1, 5, 1, 6, 3, 5, 1, 7, 2, 6, 3, 5, 1, 6, 1, 7, 1, 6, 1, 5, 2, 6, 1, 7, 5, // a to z
  15, 1, 11, 1, 14, 1, 13, 1, 28, 1, // { to DEL
  20, 1, 22, 1, 20, 2, 22, 3, 23, 1, 22, 1, 23, 5, 24, 1, 23, 1, 24, 2, 22, 1, 23, 1, 24, 1, 23, 4, 21, 1, 22, 1, 23, 1, 22, 1, 23, 2, 24, 1,
  22, 1, 21, 1, 20, 1, 22, 2, 23, 2, 21, 1, 23, 1, 22, 2, 24, 1, 21, 1, 22, 1, 23, 2, 21, 2, 22, 1, 21, 1, 23, 1, 22, 1, 23, 2, 20, 1, 22, 3,
  23, 1, 22, 2, 23, 1, 26, 2, 20, 1, 19, 1, 22, 1, 23, 1, 22, 1, 25, 1, 26, 3, 27, 2, 26, 1, 24, 1, 25, 1, 19, 1, 21, 1, 26, 1, 27, 2, 26, 1,
  27, 1, 24, 1, 21, 2, 26, 2, 28, 1, 27, 3, 20, 1, 24, 1, 20, 1, 21, 1, 22, 1, 21, 2, 23, 1, 22, 2, 25, 2, 24, 2, 26, 1, 23, 1, 26, 1, 27, 1,
  26, 2, 27, 5, 28, 1, 27, 5, 26, 1, 30, 1,
];

const SYMBOLS = 257;
const EOS = 256;
const LENGTHS = new Uint8Array(SYMBOLS);
const CODES = new Uint32Array(SYMBOLS);

for (let run = 0, symbol = 0; run < LENGTH_RUNS.length; run += 2) {
  LENGTHS.fill(LENGTH_RUNS[run]!, symbol, symbol + LENGTH_RUNS[run + 1]!);
  symbol += LENGTH_RUNS[run + 1]!;
}
for (let length = 1, code = 0; length <= 30; length += 1, code *= 2) {
  for (let symbol = 0; symbol < SYMBOLS; symbol += 1) if (LENGTHS[symbol] === length) CODES[symbol] = code++;
}

// A step is next state << 16 | symbol << 8 | flags. State 0 is the root.
const EMITS = 1;
const FAILS = 2;
const STEPS = new Uint32Array(256 * 16);
/** States in which a string may end: at most 7 bits into a code, all ones. */
const MAY_END = new Uint8Array(256);

buildSteps();

function buildSteps(): void {
  // The tree: per inner node its two children; a leaf is -1 - symbol.
  const children: [number, number][] = [[0, 0]];
  for (let symbol = 0; symbol < SYMBOLS; symbol += 1) {
    let node = 0;
    for (let bit = LENGTHS[symbol]! - 1; bit > 0; bit -= 1) {
      const side = (CODES[symbol]! >>> bit) & 1;
      let next = children[node]![side]!;
      if (next === 0) {
        next = children.push([0, 0]) - 1;
        children[node]![side] = next;
      }
      node = next;
    }
    children[node]![CODES[symbol]! & 1] = -1 - symbol;
  }
  for (let state = 0; state < children.length; state += 1) {
    for (let nibble = 0; nibble < 16; nibble += 1) STEPS[state * 16 + nibble] = step(children, state, nibble);
  }
  for (let node = 0, depth = 0; depth <= 7; depth += 1, node = children[node]![1]) MAY_END[node] = 1;
}

function step(children: readonly (readonly [number, number])[], state: number, nibble: number): number {
  let node = state;
  let emitted = 0;
  for (let bit = 3; bit >= 0; bit -= 1) {
    node = children[node]![((nibble >>> bit) & 1) as 0 | 1];
    if (node >= 0) continue;
    const symbol = -1 - node;
    if (symbol === EOS) return FAILS;
    emitted = (symbol << 8) | EMITS;
    node = 0;
  }
  return ((node << 16) | emitted) >>> 0;
}

/** Most bytes that `length` bytes can decode to: the shortest code has 5 bits. One more is written to, but not counted. */
export function maxDecodedBytes(length: number): number {
  return Math.ceil((length * 8) / 5) + 1;
}

/**
 * Decodes bytes[start, end) to `out` from 0 on; `out` has room for maxDecodedBytes(end - start). Answers how many bytes
 * there are, or -1 when EOS is inside or the padding is longer than 7 bits or not all ones.
 */
export function decodeHuffman(bytes: Uint8Array, start: number, end: number, out: Uint8Array): number {
  let state = 0;
  let failed = 0;
  let length = 0;
  for (let at = start; at < end; at += 1) {
    const byte = bytes[at]!;
    const high = STEPS[state * 16 + (byte >>> 4)]!;
    out[length] = high >>> 8;
    length += high & EMITS;
    const low = STEPS[(high >>> 16) * 16 + (byte & 15)]!;
    out[length] = low >>> 8;
    length += low & EMITS;
    failed |= high | low;
    state = low >>> 16;
  }
  return (failed & FAILS) !== 0 || MAY_END[state] === 0 ? -1 : length;
}

/** Bytes that latin1 text takes in Huffman code. */
export function huffmanLength(text: string): number {
  let bits = 0;
  for (let index = 0; index < text.length; index += 1) bits += LENGTHS[text.charCodeAt(index)]!;
  return (bits + 7) >>> 3;
}

/** Encodes latin1 text to `out`. Returns the offset behind it. */
export function encodeHuffman(text: string, out: Uint8Array, start: number): number {
  let at = start;
  let pending = 0;
  let bits = 0;
  for (let index = 0; index < text.length; index += 1) {
    const symbol = text.charCodeAt(index);
    // Up to 7 bits wait while up to 30 come: more than 32, so in two halves.
    for (let left = LENGTHS[symbol]!; left > 0;) {
      const taken = left > 16 ? left - 16 : left;
      left -= taken;
      pending = ((pending << taken) | ((CODES[symbol]! >>> left) & ((1 << taken) - 1))) & 0x7fffff;
      bits += taken;
      while (bits >= 8) {
        bits -= 8;
        out[at++] = pending >>> bits;
      }
    }
  }
  if (bits > 0) out[at++] = (pending << (8 - bits)) | (0xff >>> bits);
  return at;
}
