// What the reader of frames says of bytes that are none. What frames mean is held by test/conformance/http2.
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameReader } from "../../../../../src/proxy-runtime/http/http2/frame-reader.ts";

function errorOf(bytes: Buffer, pieceBytes: number): string {
  let error = "none";
  const reader = new FrameReader({
    onFrame: () => true,
    onDataHead: () => true,
    onDataPiece: () => true,
    onFrameError: (_code, detail) => (error = detail),
  });
  for (let at = 0; at < bytes.length; at += pieceBytes) if (!reader.read(bytes, at, Math.min(bytes.length, at + pieceBytes))) break;
  return error;
}

for (const pieceBytes of [1, 4096]) {
  test(`a peer that answers in HTTP/1 is named as such, read ${pieceBytes} at a time`, () => {
    assert.equal(errorOf(Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"), pieceBytes), "spoken to in HTTP/2, answers in HTTP/1");
  });

  test(`other bytes are a frame that is too large, read ${pieceBytes} at a time`, () => {
    assert.equal(errorOf(Buffer.from("SSH-2.0-OpenSSH_9.2\r\n"), pieceBytes), "frame of 5460808 bytes");
  });
}
