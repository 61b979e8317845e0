import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { inspect, type SniffOptions } from "../../../../src/proxy-runtime/transport/sniff.ts";

const BOTH: SniffOptions = { tls: true, http: true, timeoutMs: 0 };

/** What the bytes are taken for, whole; checks that the answer doesn't depend on how they were cut. */
function sniffed(text: string | Buffer, options = BOTH): string {
  const bytes = typeof text === "string" ? Buffer.from(text, "latin1") : text;
  const name = (seen: Buffer): string => {
    const found = inspect(seen, options);
    return found === undefined ? "more" : `${found.transport} ${found.applicationProtocols.join()}`.trim();
  };
  const whole = name(bytes);
  for (let length = 1; length < bytes.length; length += 1) {
    const early = name(bytes.subarray(0, length));
    if (early === "more") continue;
    assert.equal(early, whole, `${JSON.stringify(bytes.latin1Slice(0, length))} is judged before its end`);
    break;
  }
  return whole;
}

describe("the first bytes of a connection", () => {
  test("are told apart however they are cut", () => {
    assert.equal(sniffed("GET / HTTP/1.1\r\nHost: a\r\n\r\n"), "raw_buffer http/1.1");
    assert.equal(sniffed("POST /a?b=c HTTP/1.0\r\n"), "raw_buffer http/1.0");
    assert.equal(sniffed("PUT / HTTP/1.1\n"), "raw_buffer http/1.1");
    assert.equal(sniffed("M-SEARCH * HTTP/1.1\r\n"), "raw_buffer http/1.1");
    assert.equal(sniffed("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), "raw_buffer h2c");
    for (const not of [
      "get / HTTP/1.1\r\n",
      "GET  HTTP/1.1\r\n",
      "GET /\x01 HTTP/1.1\r\n",
      "SSH-2.0-x\r\n",
      "GET / HTTP/2.0\r\n",
      "*1\r\n$4\r\n",
      "EHLO me\r\n",
      "\x00\x00",
      "A".repeat(30),
      `GET /${"a".repeat(9000)}`,
    ]) {
      assert.equal(sniffed(not), "raw_buffer", JSON.stringify(not));
    }
  });

  test("are waited for while they can still become something", () => {
    for (const part of ["G", "GET", "GET ", "GET /abc", "GET /abc HTT", "PRI * HTTP/2.0\r\n", "\x16", "\x16\x03\x01\x02\x00\x01"])
      assert.equal(sniffed(part), "more", part);
  });

  test("are plain bytes where nobody asked", () => {
    assert.equal(sniffed("GET / HTTP/1.1\r\n", { tls: true, http: false, timeoutMs: 0 }), "raw_buffer");
    assert.equal(sniffed("\x16\x03\x01", { tls: false, http: false, timeoutMs: 0 }), "raw_buffer");
  });

  test("that only look like TLS are no TLS", () => {
    for (const not of ["\x16\x04\x01", "\x16\x03\x01\x00\x00", "\x16\x03\x01\x00\x04\x02\x00\x00\x00", "\x15\x03\x01"])
      assert.equal(sniffed(not), "raw_buffer", JSON.stringify(not));
  });
});
