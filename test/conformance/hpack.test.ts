// HPACK by the letter: blocks as bytes in, fields or a compression error out (RFC 7541, RFC 9113 §8.2.1).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeaderField } from "../../src/proxy-runtime/http/header-field.ts";
import { DecodeResult, HpackDecoder } from "../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { HPACK_CASES } from "../support/hpack-cases.ts";

const write = (field: HeaderField): string => `${field.isMalformed ? "!" : ""}${field.name}: ${field.value}`;

describe("header blocks", () => {
  for (const { name, blocks, tableBytes = 4096, isMesh = false, fields, error } of HPACK_CASES) {
    test(`${error === undefined ? "decodes" : "refuses"} ${name}`, () => {
      const decoder = new HpackDecoder(tableBytes, isMesh);
      blocks.forEach((hex, index) => {
        const block = Buffer.from(hex.replaceAll(" ", ""), "hex");
        // Bytes before and behind the block are another frame's.
        const bytes = Buffer.concat([Buffer.alloc(4, 0x82), block, Buffer.alloc(32, 0x82)]);
        const found: HeaderField[] = [];
        const result = decoder.decode(bytes, 4, 4 + block.length, found, 65536, 100);
        if (error !== undefined && index === blocks.length - 1) {
          assert.equal(result, DecodeResult.compressionError);
          assert.match(decoder.errorDetail, error);
        } else {
          assert.equal(result, DecodeResult.ok, decoder.errorDetail);
          if (fields !== undefined) assert.deepEqual(found.map(write), fields[index]);
        }
      });
    });
  }
});
