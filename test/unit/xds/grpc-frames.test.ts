import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeGrpcFrame, GrpcFrameReader } from "../../../src/xds/grpc-frames.ts";
import { decodeGrpcMessage, statusFromHeaders } from "../../../src/xds/grpc-status.ts";

const messages = [Buffer.from("one"), Buffer.alloc(0), Buffer.alloc(70_000, 7), Buffer.from("last")];
const wire = Buffer.concat(messages.map(encodeGrpcFrame));

function readInPieces(pieceBytes: number): Uint8Array[] {
  const reader = new GrpcFrameReader(1 << 20);
  const seen: Uint8Array[] = [];
  for (let at = 0; at < wire.length; at += pieceBytes) {
    assert.equal(
      reader.push(wire.subarray(at, at + pieceBytes), (message) => seen.push(message)),
      undefined,
    );
  }
  assert.ok(reader.isIdle);
  return seen;
}

for (const pieceBytes of [1, 2, 3, 4, 5, 6, 7, 1000, wire.length]) {
  test(`reads the same messages from pieces of ${pieceBytes} bytes`, () => {
    assert.deepEqual(
      readInPieces(pieceBytes).map((each) => Buffer.from(each)),
      messages,
    );
  });
}

test("gives each message a buffer of exactly its size", () => {
  assert.deepEqual(
    readInPieces(wire.length).map((each) => each.buffer.byteLength),
    [3, 0, 70_000, 4],
  );
});

test("refuses a message over the limit before its bytes arrive", () => {
  const prefix = encodeGrpcFrame(Buffer.alloc(11)).subarray(0, 5);
  assert.equal(new GrpcFrameReader(10).push(prefix, () => assert.fail())?.tooLarge, true);
  assert.equal(
    new GrpcFrameReader(11).push(prefix, () => assert.fail()),
    undefined,
  );
});

test("refuses a compressed message", () => {
  assert.equal(new GrpcFrameReader(10).push(Buffer.from([1, 0, 0, 0, 1, 0]), () => assert.fail())?.tooLarge, false);
});

test("is not idle within a message", () => {
  const reader = new GrpcFrameReader(10);
  reader.push(Buffer.from([0, 0, 0, 0, 2, 0]), () => assert.fail());
  assert.equal(reader.isIdle, false);
});

test("decodes grpc-message as UTF-8 and leaves broken escapes alone", () => {
  assert.equal(decodeGrpcMessage("Gr%C3%BC%C3%9Fe %25 100% %zz"), "Grüße % 100% %zz");
});

test("takes a status that is no number for UNKNOWN, and none for none", () => {
  assert.deepEqual(statusFromHeaders({ "grpc-status": "x" }), { code: 2, message: "" });
  assert.equal(statusFromHeaders({ "grpc-message": "x" }), undefined);
});
