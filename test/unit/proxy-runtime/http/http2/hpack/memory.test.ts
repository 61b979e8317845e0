// What HPACK keeps between blocks is bounded by its tables: no text of a whole block, no name that came once.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { UNKNOWN } from "../../../../../../src/proxy-runtime/http/header-id.ts";
import { DecodeResult, HpackDecoder } from "../../../../../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../../../../src/proxy-runtime/http/http2/hpack/encoder.ts";

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

const MEBIBYTE = 1 << 20;
const CONNECTIONS = 16;
const BLOCKS = 200;
// Each block is of this size; the tables of all connections could hold on to 16 x 60 of them: 60 MiB.
const BLOCK_BYTES = 65536;

/** Bytes more on the heap after `work`, whose result lives on. */
function heldBy(work: () => unknown): number {
  collectGarbage();
  const before = process.memoryUsage().heapUsed;
  const result = work();
  collectGarbage();
  const held = process.memoryUsage().heapUsed - before;
  assert.ok(result);
  return held;
}

describe("HPACK's memory", () => {
  test("an encoder keeps none of the text that its values were cut from", () => {
    const out = Buffer.alloc(1024);
    const held = heldBy(() =>
      Array.from({ length: CONNECTIONS }, (_, connection) => {
        const encoder = new HpackEncoder(4096, true);
        for (let block = 0; block < BLOCKS; block += 1) {
          const name = `${block % 2 === 0 ? "X" : "x"}-connection-${connection}-block-${block}`;
          const head = Buffer.from(`${name}: the value of ${name}`.padEnd(BLOCK_BYTES), "latin1").latin1Slice();
          const end = name.length;
          // Twice, so that it goes into the table.
          for (let time = 0; time < 2; time += 1)
            encoder.encode(out, encoder.begin(out, 0), UNKNOWN, head.slice(0, end), head.slice(end + 2, 2 * end + 15));
        }
        return encoder;
      }),
    );

    assert.ok(held < 4 * MEBIBYTE, `${held} bytes`);
  });

  test("an encoder forgets names that came once", () => {
    const out = Buffer.alloc(1024);
    const held = heldBy(() => {
      const encoder = new HpackEncoder(4096, true);
      for (let block = 0; block < 50_000; block += 1) encoder.encode(out, encoder.begin(out, 0), UNKNOWN, `x-name-${block}`, "1");
      return encoder;
    });

    assert.ok(held < 1 * MEBIBYTE, `${held} bytes`);
  });

  test("a decoder keeps none of the text of its blocks", () => {
    const held = heldBy(() =>
      Array.from({ length: CONNECTIONS }, () => {
        const decoder = new HpackDecoder(4096, true);
        for (let number = 0; number < BLOCKS; number += 1) {
          // A long literal without indexing, then one with.
          const entry = `\x40\x0ex-block-${100_000 + number}\x15value-of-block-${100_000 + number}`;
          const long = "x".repeat(BLOCK_BYTES - entry.length);
          const rest = long.length - 0x7f;
          const length = String.fromCharCode(0x7f, (rest & 0x7f) | 0x80, ((rest >> 7) & 0x7f) | 0x80, rest >> 14);
          const block = Buffer.from(`\x00\x01a${length}${long}${entry}`, "latin1");
          assert.equal(decoder.decode(block, 0, block.length, [], MEBIBYTE, 100), DecodeResult.ok, decoder.errorDetail);
        }
        return decoder;
      }),
    );

    assert.ok(held < MEBIBYTE / 2, `${held} bytes`);
  });
});
