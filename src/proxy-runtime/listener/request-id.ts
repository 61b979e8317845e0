// Request ids: version 4 UUIDs (RFC 9562 §5.4). crypto.randomUUID joins twenty strings for each, 600 bytes of garbage;
// this writes into one buffer and makes one string.
import { randomFillSync } from "node:crypto";

const POOL_BYTES = 4096;
const HEX = Buffer.from("0123456789abcdef", "latin1");
const DASH = 45;

const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
const text = Buffer.allocUnsafeSlow(36);
let at = POOL_BYTES;

export function newRequestId(): string {
  if (at === POOL_BYTES) {
    randomFillSync(pool);
    at = 0;
  }
  let to = 0;
  for (let index = 0; index < 16; index += 1) {
    let byte = pool[at + index]!;
    if (index === 6) byte = (byte & 0x0f) | 0x40;
    else if (index === 8) byte = (byte & 0x3f) | 0x80;
    if (index === 4 || index === 6 || index === 8 || index === 10) text[to++] = DASH;
    text[to++] = HEX[byte >> 4]!;
    text[to++] = HEX[byte & 15]!;
  }
  at += 16;
  return text.latin1Slice(0, 36);
}
