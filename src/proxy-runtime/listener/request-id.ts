// Request ids: version 4 UUIDs (RFC 9562 §5.4). crypto.randomUUID joins twenty strings for each, 600 bytes of garbage;
// this makes the text of many at once, and each is a slice of it.
import { randomFillSync } from "node:crypto";

const COUNT = 64;
const RANDOM_BYTES = 16;
// Asking for random bytes takes longer than making some thousands of them.
const POOL_BYTES = 16 * COUNT * RANDOM_BYTES;
const LENGTH = 36;
const HEX = Buffer.from("0123456789abcdef", "latin1");
const DASH = 45;

const pool = Buffer.allocUnsafeSlow(POOL_BYTES);
const bytes = Buffer.allocUnsafeSlow(COUNT * LENGTH);
let text = "";
let at = 0;
let drawn = POOL_BYTES;

export function newRequestId(): string {
  if (at === text.length) refill();
  at += LENGTH;
  return text.slice(at - LENGTH, at);
}

function refill(): void {
  if (drawn === POOL_BYTES) {
    randomFillSync(pool);
    drawn = 0;
  }
  let to = 0;
  for (let index = 0; index < COUNT * RANDOM_BYTES; index += 1) {
    const place = index % RANDOM_BYTES;
    let byte = pool[drawn + index]!;
    if (place === 6) byte = (byte & 0x0f) | 0x40;
    else if (place === 8) byte = (byte & 0x3f) | 0x80;
    if (place === 4 || place === 6 || place === 8 || place === 10) bytes[to++] = DASH;
    bytes[to++] = HEX[byte >> 4]!;
    bytes[to++] = HEX[byte & 15]!;
  }
  drawn += COUNT * RANDOM_BYTES;
  text = bytes.latin1Slice(0, to);
  at = 0;
}
