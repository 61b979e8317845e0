// RFC 7541 §7.1.3: what a sender keeps out of compression tables stays out of them on the next connection, too.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { HeaderField } from "../../../../../src/proxy-runtime/http/header-field.ts";
import { HeadEncoder } from "../../../../../src/proxy-runtime/http/http2/head-encoder.ts";
import { HpackDecoder } from "../../../../../src/proxy-runtime/http/http2/hpack/decoder.ts";
import { readRequestFields } from "../../../../../src/proxy-runtime/http/http2/request-fields.ts";

const REQUEST = `82 86 84 41 01 61`;
const SECRET = "10 05 782d6b6579 03 616263";
const PLAIN = "00 05 782d74616d 03 616263";
const SHORT_COOKIE = "1f 11 03 613d31";
const LONG_COOKIE = `0f 11 1a 623d${"32".repeat(24)}`;

/** Whether each header of a request, received twice and sent on twice, is never indexed the second time. */
function passOn(isMesh: boolean, hex: string): string[] {
  const [from, to] = [new HpackDecoder(4096, isMesh), new HpackDecoder(4096, isMesh)];
  const encoder = new HeadEncoder(4096, isMesh);
  const block = Buffer.from(hex.replaceAll(" ", ""), "hex");
  let sent: HeaderField[] = [];
  for (let time = 0; time < 2; time += 1) {
    const fields: HeaderField[] = [];
    from.decode(block, 0, block.length, fields, 65536, 100);
    const read = readRequestFields(fields, from.listBytes, true, { isMesh, allowConnect: false });
    assert.ok("head" in read);
    encoder.request(read.head);
    sent = [];
    to.decode(encoder.block, 0, encoder.length, sent, 65536, 100);
  }
  return sent.filter(({ name }) => !name.startsWith(":")).map(({ name, isNeverIndexed }) => `${name}${isNeverIndexed ? " never" : ""}`);
}

describe("a header that no table may hold", () => {
  for (const isMesh of [false, true]) {
    test(`is passed on as one${isMesh ? " between sidecars" : ""}`, () => {
      assert.deepEqual(passOn(isMesh, `${REQUEST} ${SECRET} ${PLAIN}`), ["x-key never", "x-tam"]);
    });
  }

  test("makes one of the cookie that it is a crumb of", () => {
    assert.deepEqual(passOn(false, `${REQUEST} ${LONG_COOKIE} ${SHORT_COOKIE} ${LONG_COOKIE}`), ["cookie never"]);
    assert.deepEqual(passOn(false, `${REQUEST} ${LONG_COOKIE} ${LONG_COOKIE}`), ["cookie"]);
  });
});
