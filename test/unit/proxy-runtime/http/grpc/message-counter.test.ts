// Counting gRPC messages in body bytes.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { MessageCounter } from "../../../../../src/proxy-runtime/http/grpc/message-counter.ts";

/** Messages of these sizes, framed; every other one is marked as compressed. */
function framed(...sizes: number[]): Buffer {
  return Buffer.concat(
    sizes.map((size, index) => {
      const frame = Buffer.alloc(5 + size, 0x05);
      frame[0] = index % 2;
      frame.writeUInt32BE(size, 1);
      return frame;
    }),
  );
}

function countOf(bytes: Buffer, chunkBytes: number): number {
  const counter = new MessageCounter();
  for (let at = 0; at < bytes.length; at += chunkBytes) counter.add(bytes.subarray(at, at + chunkBytes));
  return counter.count;
}

describe("messages of a gRPC call", () => {
  const bytes = framed(0, 1, 0, 300, 70_000, 5, 0);

  test("are counted the same wherever their bytes are cut", () => {
    for (const chunkBytes of [1, 2, 3, 4, 5, 6, 7, 11, 306, 16_384, bytes.length]) assert.equal(countOf(bytes, chunkBytes), 7);
  });

  test("count once their last byte has come", () => {
    for (let end = 0; end <= 30; end += 1) {
      const whole = end < 5 ? 0 : end < 11 ? 1 : end < 16 ? 2 : 3;
      assert.equal(countOf(bytes.subarray(0, end), 3), whole, `${end} bytes`);
    }
    assert.equal(countOf(bytes.subarray(0, bytes.length - 6), 1000), 5);
  });

  test("may be longer than 2 GB", () => {
    const counter = new MessageCounter();
    counter.add(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    const block = new Uint8Array(0x1000_0000);
    for (let index = 0; index < 15; index += 1) counter.add(block);
    counter.add(block.subarray(0, block.length - 2));
    assert.equal(counter.count, 0);
    counter.add(block.subarray(0, 1));
    assert.equal(counter.count, 1);
    counter.add(framed(0));
    assert.equal(counter.count, 2);
  });
});
