import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeaderField } from "../../../../../../src/proxy-runtime/http/header-field.ts";
import { headerIdOf } from "../../../../../../src/proxy-runtime/http/header-id.ts";
import { DecodeResult, HpackDecoder } from "../../../../../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../../../../src/proxy-runtime/http/http2/hpack/encoder.ts";

type Pair = readonly [name: string, value: string];

function encode(encoder: HpackEncoder, ...fields: Pair[]): Buffer {
  const out = Buffer.alloc(fields.reduce((room, [name, value]) => room + name.length + value.length + 16, 16));
  let at = encoder.begin(out, 0);
  for (const [name, value] of fields) {
    const next = encoder.encode(out, at, headerIdOf(name), name, value);
    assert.ok(next - at <= name.length + value.length + 16, "no more than the promised room");
    at = next;
  }
  return out.subarray(0, at);
}

function decode(decoder: HpackDecoder, block: Buffer): string[] {
  const fields: HeaderField[] = [];
  assert.equal(decoder.decode(block, 0, block.length, fields, 1_000_000, 1000), DecodeResult.ok, decoder.errorDetail);
  assert.ok(fields.every((field) => !field.isMalformed));
  return fields.map(({ name, value }) => `${name}: ${value}`);
}

/** How the first field of a block is represented (RFC 7541 §6). */
function formOf(block: Buffer): string {
  const first = block[0]!;
  return first >= 0x80 ? "indexed" : first >= 0x40 ? "inserted" : first >= 0x20 ? "size update" : first >= 0x10 ? "never" : "plain";
}

const LONG_COOKIE = "session=0123456789abcdef";

describe("an encoder", () => {
  test("takes what it can from the static table", () => {
    const fields: Pair[] = [":method GET", ":method POST", ":path /", ":scheme https", ":status 404", "accept-encoding gzip, deflate"].map(
      (each) => [each.slice(0, each.indexOf(" ")), each.slice(each.indexOf(" ") + 1)],
    );
    assert.equal(encode(new HpackEncoder(4096, false), ...fields).toString("hex"), "82838487" + "8d90");
    assert.equal(encode(new HpackEncoder(4096, true), ...fields).toString("hex"), "82838487" + "8d90");
  });

  for (const [name, values, forms] of [
    [":authority", ["a.test", "a.test", "b.test", "b.test", "a.test"], "inserted indexed inserted indexed indexed"],
    ["user-agent", ["curl", "curl"], "inserted indexed"],
    ["x-forwarded-proto", ["http", "https", "http"], "inserted inserted indexed"],
    [":method", ["PATCH", "PATCH"], "inserted indexed"],
    // Seen a second time.
    [":path", ["/a", "/b", "/a", "/a", "/b"], "plain plain inserted indexed inserted"],
    ["date", ["Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:21 GMT", "Mon, 21 Oct 2013 20:13:21 GMT"], "plain inserted indexed"],
    ["etag", ['"1"', '"2"', '"3"', '"4"'], "plain plain plain plain"],
    // A name that no table has is given an entry when it comes again; then its values are as any other's.
    ["x-app", ["1", "2", "3", "3", "3"], "plain inserted plain inserted indexed"],
    ["x-request-id", ["1", "2", "3", "3"], "plain inserted plain plain"],
    // Never indexed.
    ["authorization", ["Bearer x", "Bearer x", "Bearer x"], "never never never"],
    ["Authorization", ["Bearer x", "Bearer x", "Bearer x"], "never never never"],
    ["proxy-authorization", ["Basic x", "Basic x"], "never never"],
    ["set-cookie", ["a=b", "a=b"], "never never"],
    ["cookie", ["a=b", "a=b", LONG_COOKIE, LONG_COOKIE, LONG_COOKIE], "never never plain inserted indexed"],
  ] as const) {
    test(`sends ${name} ${values.join(", ")} as ${forms}`, () => {
      for (const keepCase of [false, true]) {
        const encoder = new HpackEncoder(4096, keepCase);
        const decoder = new HpackDecoder(4096, keepCase);
        const blocks = values.map((value) => encode(encoder, [name, value]));
        assert.equal(blocks.map(formOf).join(" "), forms);
        const sent = keepCase ? name : name.toLowerCase();
        blocks.forEach((block, index) => assert.deepEqual(decode(decoder, block), [`${sent}: ${values[index]}`]));
      }
    });
  }

  test("passes on a field that no table may hold as one, though the table has it", () => {
    const encoder = new HpackEncoder(4096, false);
    encode(encoder, ["user-agent", "a"]);
    const out = Buffer.alloc(32);
    const end = encoder.encode(out, 0, headerIdOf("user-agent"), "user-agent", "a", true);
    assert.equal(out.toString("hex", 0, end), "1f2b" + "0161");
  });

  test("names a field by the table where it can", () => {
    const encoder = new HpackEncoder(4096, true);
    assert.equal(encode(encoder, ["etag", "1"]).toString("hex"), "0f13" + "0131", "static name 34");
    encode(encoder, ["X-Request-Id", "1"]);
    encode(encoder, ["X-Request-Id", "2"]);
    assert.equal(encode(encoder, ["X-Request-Id", "3"]).toString("hex"), "0f2f" + "0133", "dynamic name 62");
  });

  test("keeps each spelling of a name, or sends all in lower case", () => {
    const names = ["X-Request-ID", "x-request-id", "X-Request-Id", "Accept", "accept", "ACCEPT", "X-App", "x-app"];
    for (const keepCase of [true, false]) {
      const encoder = new HpackEncoder(4096, keepCase);
      const decoder = new HpackDecoder(4096, keepCase);
      for (let round = 0; round < 4; round += 1) {
        const order = round % 2 === 0 ? names : names.toReversed();
        const block = encode(encoder, ...order.map((name): Pair => [name, "1"]));
        assert.deepEqual(
          decode(decoder, block),
          order.map((name) => `${keepCase ? name : name.toLowerCase()}: 1`),
        );
      }
    }
  });

  test("does not give a quarter of the table to one field", () => {
    const encoder = new HpackEncoder(4096, false);
    const value = (length: number): string => "x".repeat(length - "user-agent".length - 32);
    assert.equal(formOf(encode(encoder, ["user-agent", value(1025)])), "plain");
    assert.equal(formOf(encode(encoder, ["user-agent", value(1024)])), "inserted");
  });

  test("evicts in order, and then sends anew", () => {
    // Four entries of 48 bytes and no fifth.
    const encoder = new HpackEncoder(200, false);
    const decoder = new HpackDecoder(4096, false);
    const agent = (index: number): Pair => ["user-agent", `agent${index}`];
    assert.equal(decode(decoder, encode(encoder)).length, 0);
    const form = (index: number): string => {
      const block = encode(encoder, agent(index));
      assert.deepEqual(decode(decoder, block), [`user-agent: agent${index}`]);
      return formOf(block);
    };
    assert.deepEqual([0, 1, 2, 3, 0, 1, 2, 3].map(form).join(" "), "inserted inserted inserted inserted indexed indexed indexed indexed");
    assert.deepEqual([4, 0, 4, 3, 2].map(form).join(" "), "inserted inserted indexed indexed indexed");
  });

  test("finds every value that is still in the table, however many a name has", () => {
    const encoder = new HpackEncoder(4096, false);
    // 4 + 6 + 32 bytes each: 97 fit.
    const value = (index: number): Pair => ["x-ab", `v${10_000 + index}`];
    for (let index = 0; index < 300; index += 1) for (let time = 0; time < 2; time += 1) encode(encoder, value(index));
    const forms = Array.from({ length: 97 }, (_, index) => formOf(encode(encoder, value(299 - index))));
    assert.deepEqual(new Set(forms), new Set(["indexed"]));
    assert.notEqual(formOf(encode(encoder, value(202))), "indexed");
  });

  test("announces a smaller table of its own at once", () => {
    assert.equal(encode(new HpackEncoder(0, false), ["user-agent", "a"]).toString("hex"), "20" + "0f2b0161");
    assert.equal(encode(new HpackEncoder(31, false)).toString("hex"), "3f00");
  });

  for (const [what, own, sizes, announced] of [
    ["nothing when the peer allows more than it uses", 4096, [65536], ""],
    ["nothing when the size is what it was", 4096, [4096], ""],
    ["what the peer allows", 4096, [256], "3fe101"],
    ["a larger table, when the peer allows it", 8192, [65536], "3fe13f"],
    ["the lowest and the final of several changes", 4096, [256, 0, 4096], "203fe11f"],
    ["one size when the lowest is the final", 4096, [256, 100], "3f45"],
    ["both of a table that was closed and opened again", 4096, [0, 256], "203fe101"],
  ] as const) {
    test(`announces ${what}`, () => {
      const encoder = new HpackEncoder(own, false);
      for (const size of sizes) encoder.setPeerTableBytes(size);
      assert.equal(encode(encoder).toString("hex"), announced);
      assert.equal(encode(encoder).toString("hex"), "", "once");
    });
  }

  test("forgets what the peer forgot when the table was smaller for a while", () => {
    const encoder = new HpackEncoder(4096, false);
    const decoder = new HpackDecoder(4096, false);
    decode(decoder, encode(encoder, ["user-agent", "a"]));
    encoder.setPeerTableBytes(0);
    encoder.setPeerTableBytes(4096);
    const block = encode(encoder, ["user-agent", "a"]);
    assert.equal(block.toString("latin1"), "\x20\x3f\xe1\x1f\x7a\x01a");
    assert.deepEqual(decode(decoder, block), ["user-agent: a"]);
  });

  test("stays right when thousands of names come by", () => {
    const encoder = new HpackEncoder(4096, true);
    const decoder = new HpackDecoder(4096, true);
    for (let round = 0; round < 3000; round += 1) {
      const fields: Pair[] = [
        [":method", "GET"],
        [`x-${round}`, "1"],
        ["X-App", "1"],
        [`x-${round >> 1}`, "2"],
        ["user-agent", "a"],
      ];
      assert.deepEqual(
        decode(decoder, encode(encoder, ...fields)),
        fields.map((each) => each.join(": ")),
      );
    }
  });

  test("writes strings of every length", () => {
    const encoder = new HpackEncoder(4096, false);
    const decoder = new HpackDecoder(4096, false);
    for (const length of [0, 1, 11, 12, 13, 14, 126, 127, 128, 254, 255, 16510, 16511, 60000]) {
      // A slice of a longer text, as parsers give.
      const value = `${"\x80\xff0z".repeat(20000)}`.slice(1, 1 + length);
      assert.deepEqual(decode(decoder, encode(encoder, ["etag", value])), [`etag: ${value}`]);
    }
  });
});
