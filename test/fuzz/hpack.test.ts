// What our encoder says our decoder understands, whatever the tables' sizes, and no bytes of a stranger upset the decoder.
// Seeded: a failure names its seed. MESHCTL_FUZZ_SECONDS lets it run longer.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeaderField } from "../../src/proxy-runtime/http/header-field.ts";
import { headerIdOf } from "../../src/proxy-runtime/http/header-id.ts";
import { DecodeResult, HpackDecoder } from "../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../src/proxy-runtime/http/http2/hpack/encoder.ts";
import { decodeHuffman, encodeHuffman, huffmanLength, maxDecodedBytes } from "../../src/proxy-runtime/http/http2/hpack/huffman.ts";
import { fuzz } from "../support/fuzz.ts";
import { HPACK_CASES } from "../support/hpack-cases.ts";

const FIRST_SEED = 20261124;

/** Tries with numbers from 0 up to `below`. */
const fuzzed = (check: (int: (below: number) => number) => void): void =>
  fuzz(FIRST_SEED, (random) => check((below) => Math.floor(random() * below)));

const NAMES = [":method", ":path", ":status", ":authority", "user-agent", "User-Agent", "accept", "Accept", "x-request-id", "X-Request-ID"];
NAMES.push("cookie", "set-cookie", "authorization", "date", "etag", "content-length", "x-app", "X-App", "traceparent", "host", "Host");
const TABLE_BYTES = [0, 31, 32, 64, 100, 200, 333, 1000, 4096, 4096, 4096, 16384, 65536];

const writeAll = (fields: readonly (readonly [string, string])[]): string => fields.map(([name, value]) => `${name}: ${value}`).join("\n");

describe("HPACK", () => {
  test("brings all fields across, with tables of all sizes that change on the way", () => {
    fuzzed((int) => {
      const pick = <T>(items: readonly T[]): T => items[int(items.length)]!;
      const keepCase = int(2) === 0;
      const announced = pick(TABLE_BYTES);
      const encoder = new HpackEncoder(pick(TABLE_BYTES), keepCase);
      const decoder = new HpackDecoder(announced, keepCase);
      encoder.setPeerTableBytes(announced);
      const spread = pick([1, 3, 20, 500]);
      const letters = (): string => Array.from({ length: int(40) }, () => String.fromCharCode(0x21 + int(94))).join("");
      const values = Array.from({ length: spread }, letters);
      const out = Buffer.alloc(65536);
      for (let block = int(40); block >= 0; block -= 1) {
        // The peer may want less at any time, and more again.
        for (let changes = int(8) === 0 ? int(4) : 0; changes > 0; changes -= 1)
          encoder.setPeerTableBytes(Math.min(announced, pick(TABLE_BYTES)));
        const fields = Array.from(
          { length: int(15) },
          () => [int(20) === 0 ? `x-${int(300)}` : pick(NAMES), int(4) === 0 ? letters() : pick(values)] as const,
        );
        const start = int(10);
        let end = encoder.begin(out, start);
        const found: HeaderField[] = [];
        for (const [name, value] of fields) end = encoder.encode(out, end, headerIdOf(name), name, value);
        assert.equal(decoder.decode(out, start, end, found, 65536, 100), DecodeResult.ok, decoder.errorDetail);
        assert.ok(found.every((field) => !field.isMalformed));
        const expected = fields.map(([name, value]) => [keepCase ? name : name.toLowerCase(), value] as const);
        assert.equal(writeAll(found.map(({ name, value }) => [name, value])), writeAll(expected));
        found.forEach(({ id, name }) => assert.equal(id, headerIdOf(name), name));
      }
    });
  });

  test("reads random blocks and mutated good ones without an exception, in bounds, and each the same way twice", () => {
    const blocks = HPACK_CASES.flatMap((each) => each.blocks).map((hex) => Buffer.from(hex.replaceAll(" ", ""), "hex"));
    fuzzed((int) => {
      const decoders = [new HpackDecoder(4096, false), new HpackDecoder(4096, false)];
      for (let round = 0; round < 20; round += 1) {
        let block = Buffer.from(Array.from({ length: int(60) }, () => int(256)));
        if (int(3) !== 0) {
          block = Buffer.concat([blocks[int(blocks.length)]!, blocks[int(blocks.length)]!]);
          for (let change = int(3); change > 0 && block.length > 0; change -= 1) block[int(block.length)] = int(256);
        }
        const [first, second] = decoders.map((decoder, index) => {
          const fields: HeaderField[] = [];
          // The same block among other bytes.
          const bytes = Buffer.concat([Buffer.alloc(index * 7, 0xff), block, Buffer.alloc(index * 50, 0x1f)]);
          const result = decoder.decode(bytes, index * 7, index * 7 + block.length, fields, 1000, 20);
          return {
            result,
            detail: decoder.errorDetail,
            fields: fields.map(({ name, value, id, isMalformed }) => [name, value, id, isMalformed]),
          };
        });
        assert.deepEqual(first, second);
        assert.ok(first!.fields.length <= 20);
        if (first!.result === DecodeResult.compressionError) return;
      }
    });
  });

  test("packs and unpacks every byte in Huffman code", () => {
    fuzzed((int) => {
      const text = Buffer.from(Array.from({ length: int(300) }, () => int(256))).latin1Slice();
      const packed = Buffer.alloc(huffmanLength(text));
      assert.equal(encodeHuffman(text, packed, 0), packed.length);
      const unpacked = Buffer.alloc(maxDecodedBytes(packed.length));
      const length = decodeHuffman(packed, 0, packed.length, unpacked);
      assert.equal(unpacked.latin1Slice(0, length), text);
    });
  });
});
