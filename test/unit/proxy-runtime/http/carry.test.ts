import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Carry } from "../../../../src/proxy-runtime/http/carry.ts";

describe("carried bytes", () => {
  test("are what was appended and not yet consumed, in order", () => {
    const carry = new Carry();
    let model = "";
    let seed = 7;
    const random = (below: number): number => (seed = (seed * 48271) % 2147483647) % below;
    for (let step = 0; step < 2000; step += 1) {
      if (random(3) > 0) {
        const from = random(50);
        const to = from + random(200);
        const bytes = Buffer.from(Array.from({ length: 300 }, () => 97 + random(26)));
        carry.append(bytes, from, to);
        model += bytes.latin1Slice(from, to);
        bytes.fill(0); // the caller's buffer is reused
      } else if (carry.length > 0) {
        const used = random(carry.length + 1);
        carry.consume(carry.start + used);
        model = model.slice(used);
      }
      assert.equal(carry.length, model.length);
      if (model !== "") assert.equal(carry.bytes.latin1Slice(carry.start, carry.end), model);
    }
  });

  test("give their memory back when all is consumed", () => {
    const carry = new Carry();
    carry.append(Buffer.alloc(100_000), 0, 100_000);
    carry.consume(carry.end);
    assert.equal(carry.length, 0);
    assert.equal(carry.bytes, undefined);
  });
});
