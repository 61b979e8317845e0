// Text of the configuration that will stand in a head: what it is written as, and what may not be in it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { headText } from "../../../../src/proxy-runtime/config/decode-values.ts";
import { Decoding } from "../../../../src/proxy-runtime/config/decoding.ts";

test("text beyond ASCII is written as the bytes of its UTF-8, never as what a cut-off character would mean", () => {
  const decoding = new Decoding();
  // U+010A cut to one byte would be a line feed.
  assert.deepEqual([...Buffer.from(headText(decoding, "a\u010Ab é", "value"), "latin1")], [...Buffer.from("a\u010Ab é", "utf8")]);
  assert.equal(decoding.failed, false);
});

test("a control character is a problem of its field", () => {
  for (const bad of ["a\r\nb: c", "a\nb", "a\0b", "\x7f"]) {
    const decoding = new Decoding();
    headText(decoding, bad, "host_rewrite_literal");
    assert.deepEqual(decoding.finish(0), { ok: false, problems: [{ path: "host_rewrite_literal", message: "holds a control character" }] });
  }
});
