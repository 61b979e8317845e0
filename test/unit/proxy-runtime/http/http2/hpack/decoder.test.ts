import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeaderField } from "../../../../../../src/proxy-runtime/http/header-field.ts";
import { HeaderId, UNKNOWN } from "../../../../../../src/proxy-runtime/http/header-id.ts";
import { DecodeResult, HpackDecoder } from "../../../../../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { encodeHuffman, huffmanLength } from "../../../../../../src/proxy-runtime/http/http2/hpack/huffman.ts";

const MANY = 1_000_000;

function decode(
  decoder: HpackDecoder,
  hex: string,
  maxListBytes = MANY,
  maxFields = MANY,
): { result: DecodeResult; fields: HeaderField[] } {
  const block = Buffer.from(hex.replaceAll(" ", ""), "hex");
  const fields: HeaderField[] = [];
  return { result: decoder.decode(block, 0, block.length, fields, maxListBytes, maxFields), fields };
}

const texts = (fields: readonly HeaderField[]): string[] => fields.map(({ name, value }) => `${name}: ${value}`);

/** `a: 1` with indexing. */
const INSERT_A1 = "40 01 61 01 31";
// Names of 1 and values of 1 byte make 34.
const SIZE_OF_A1 = 34;

describe("a decoder", () => {
  test("hands out one object for a field of a table, whichever message it is in", () => {
    const decoder = new HpackDecoder(4096, false);
    const [inserted] = decode(decoder, INSERT_A1).fields;
    const { fields } = decode(decoder, "be 82 be");
    assert.equal(fields[0], inserted);
    assert.equal(fields[2], inserted);
    assert.equal(decode(new HpackDecoder(4096, true), "82").fields[0], fields[1]);
  });

  test("knows names by their ids, from the tables and from literals, in every case that is allowed", () => {
    const decoder = new HpackDecoder(4096, true);
    const literal = (name: string): string => `40 ${Buffer.of(name.length).toString("hex")} ${Buffer.from(name).toString("hex")} 01 31 be`;
    const ids = (hex: string): number[] => decode(decoder, hex).fields.map(({ id }) => id);
    assert.deepEqual(ids("82 44 01 2f 7a 01 61"), [HeaderId[":method"], HeaderId[":path"], HeaderId["user-agent"]]);
    assert.deepEqual(ids(literal("x-request-id")), [HeaderId["x-request-id"], HeaderId["x-request-id"]]);
    assert.deepEqual(ids(literal("X-Request-ID")), [HeaderId["x-request-id"], HeaderId["x-request-id"]]);
    assert.deepEqual(ids(literal(":version")), [HeaderId[":version"], HeaderId[":version"]]);
    assert.deepEqual(ids(literal("x-unheard-of")), [UNKNOWN, UNKNOWN]);
  });

  test("knows a Huffman literal without indexing again, and none that differs in a bit or is a secret", () => {
    const decoder = new HpackDecoder(4096, false);
    const literal = (first: string, value: string): string => {
      const packed = Buffer.alloc(huffmanLength(value));
      encodeHuffman(value, packed, 0);
      return `${first} ${Buffer.of(0x80 | packed.length).toString("hex")} ${packed.toString("hex")}`;
    };
    const read = (first: string, value: string): HeaderField => {
      const [field, behind] = decode(decoder, `${literal(first, value)} 82`).fields;
      assert.equal(field!.value, value);
      assert.equal(behind!.name, ":method");
      return field!;
    };
    const path = read("04", "/helloworld.Greeter/SayHello");
    assert.equal(read("04", "/helloworld.Greeter/SayHello"), path);
    for (const other of ["/helloworld.Greeter/SayHallo", "/Helloworld.Greeter/SayHello", "/helloworld.Greeter/SayHellp"]) read("04", other);
    assert.equal(read("01", "/helloworld.Greeter/SayHello").name, ":authority");
    assert.equal(read("04", "/helloworld.Greeter/SayHello").name, ":path");
    const block = Buffer.from(literal("04", "/helloworld.Greeter/SayHello").replaceAll(" ", ""), "hex");
    assert.equal(
      decoder.decode(block, 0, block.length - 1, [], MANY, MANY),
      DecodeResult.compressionError,
      "its last byte is another frame's",
    );
    assert.notEqual(read("1f08", "secret"), read("1f08", "secret"));
  });

  test("tells which fields no table may hold", () => {
    const { fields } = decode(new HpackDecoder(4096, false), "82 10 01 61 01 31 00 01 61 01 31 40 01 61 01 31 1f 00 01 31");
    assert.deepEqual(
      fields.map((field) => field.isNeverIndexed),
      [false, true, false, false, true],
    );
  });

  test("takes a list of just the size and number that are allowed", () => {
    const decoder = new HpackDecoder(4096, false);
    assert.equal(decode(decoder, `${INSERT_A1} be`, 2 * SIZE_OF_A1, 2).result, DecodeResult.ok);
    assert.equal(decoder.listBytes, 2 * SIZE_OF_A1);
  });

  for (const [limit, maxBytes, maxFields] of [
    ["bytes", 3 * SIZE_OF_A1 - 1, MANY],
    ["fields", MANY, 2],
  ] as const) {
    test(`stays in step when a list has too many ${limit}, and gives what fitted`, () => {
      const decoder = new HpackDecoder(4096, false);
      const { result, fields } = decode(decoder, `${INSERT_A1} be be be 40 01 62 01 32 00 00 00`, maxBytes, maxFields);
      assert.equal(result, DecodeResult.listTooLarge);
      assert.deepEqual(texts(fields), ["a: 1", "a: 1"]);
      assert.equal(decoder.listBytes, 5 * SIZE_OF_A1 + 32);
      assert.deepEqual(texts(decode(decoder, "be bf").fields), ["b: 2", "a: 1"]);
    });
  }

  test("gives nothing behind a field that was too large, though it would fit", () => {
    const { result, fields } = decode(new HpackDecoder(4096, false), `82 00 01 61 0a ${"31".repeat(10)} 82`, 80);
    assert.equal(result, DecodeResult.listTooLarge);
    assert.deepEqual(texts(fields), [":method: GET"]);
  });

  test("finds a compression error behind the limit, too", () => {
    assert.equal(decode(new HpackDecoder(4096, false), `${INSERT_A1} be be 80`, 10).result, DecodeResult.compressionError);
  });

  test("counts a list that is blown up from few bytes, and keeps none of it", () => {
    const decoder = new HpackDecoder(4096, false);
    // One entry of 4,000 bytes, named 10,000 times.
    decode(decoder, `40 01 61 7f a0 1e ${"78".repeat(3999)}`);
    const { result, fields } = decode(decoder, "be".repeat(10_000), 65536, 100);
    assert.equal(result, DecodeResult.listTooLarge);
    assert.equal(decoder.listBytes, 10_000 * (1 + 3999 + 32));
    assert.equal(fields.length, 16);
  });

  test("reads strings longer than one byte of length can tell, and Huffman strings larger than any before", () => {
    const long = "Long value; ".repeat(5000).trim();
    const packed = Buffer.alloc(80_000);
    const length = encodeHuffman(long, packed, 0);
    const rest = length - 0x7f;
    const integer = Buffer.of(0xff, (rest & 0x7f) | 0x80, ((rest >>> 7) & 0x7f) | 0x80, rest >>> 14);
    const { result, fields } = decode(
      new HpackDecoder(4096, false),
      `04 ${integer.toString("hex")} ${packed.toString("hex", 0, length)} 04 01 2f`,
    );
    assert.equal(result, DecodeResult.ok);
    assert.deepEqual(texts(fields), [`:path: ${long}`, ":path: /"]);
  });

  test("keeps its entries when the bytes that they came in are overwritten", () => {
    const decoder = new HpackDecoder(4096, false);
    const value = "a value of more than a few bytes";
    const block = Buffer.from(`\x40\x01a${String.fromCharCode(value.length)}${value}`, "latin1");
    const fields: HeaderField[] = [];
    decoder.decode(block, 0, block.length, fields, MANY, MANY);
    block.fill(0xff);
    assert.deepEqual(texts([...fields, ...decode(decoder, "be").fields]), [`a: ${value}`, `a: ${value}`]);
  });

  test("has room for as many entries as the announced size can hold", () => {
    const decoder = new HpackDecoder(65536, false);
    // Empty names and values take 32 bytes each.
    decode(decoder, `3f e1 ff 03 ${"40 00 00".repeat(2048)}`);
    const oldest = 61 + 2048 - 127;
    const index = (value: number): string => Buffer.of(0xff, (value & 0x7f) | 0x80, value >>> 7).toString("hex");
    assert.equal(decode(decoder, index(oldest)).result, DecodeResult.ok);
    assert.equal(decode(decoder, index(oldest + 1)).result, DecodeResult.compressionError);
  });
});
