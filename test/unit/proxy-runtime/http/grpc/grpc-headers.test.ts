// What the proxy reads from and writes into a gRPC call's headers.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Causes } from "../../../../../src/proxy-runtime/failure/causes.ts";
import { isGrpc } from "../../../../../src/proxy-runtime/http/grpc/content-type.ts";
import { encodeGrpcMessage, grpcStatusOf, impliedGrpcStatus } from "../../../../../src/proxy-runtime/http/grpc/status.ts";
import { formatGrpcTimeout, parseGrpcTimeout } from "../../../../../src/proxy-runtime/http/grpc/timeout.ts";
import { HeaderList } from "../../../../../src/proxy-runtime/http/header-list.ts";
import { decodeGrpcMessage } from "../../../../../src/xds/grpc-status.ts";

describe("a gRPC call", () => {
  test("is told by its content type, with or without subtype and parameters", () => {
    for (const type of ["application/grpc", "application/grpc+proto", "application/grpc+json", "application/grpc;charset=utf-8"])
      assert.equal(isGrpc(HeaderList.of(["content-type", type])), true, type);
  });

  test("is not gRPC-Web, nor anything else", () => {
    for (const type of ["application/grpc-web", "application/grpc-web+proto", "application/grpcs", "application/json", ""])
      assert.equal(isGrpc(HeaderList.of(["content-type", type])), false, type);
    assert.equal(isGrpc(new HeaderList()), false);
  });
});

describe("grpc-timeout", () => {
  test("is read in all units, in milliseconds rounded up", () => {
    const cases: readonly (readonly [string, number])[] = [
      ["1H", 3_600_000],
      ["2M", 120_000],
      ["3S", 3000],
      ["40m", 40],
      ["1u", 1],
      ["1001u", 2],
      ["999999n", 1],
      ["1000001n", 2],
      ["0S", 0],
      ["00000005m", 5],
      ["99999999H", 359_999_996_400_000],
    ];
    for (const [text, ms] of cases) assert.equal(parseGrpcTimeout(text), ms, text);
  });

  test("that is malformed counts as absent", () => {
    for (const text of ["", "5", "S", "5s", "-1S", "+1S", "1.5S", " 1S", "1 S", "1S ", "123456789m", "0x1S", "1SS", "١S"])
      assert.equal(parseGrpcTimeout(text), undefined, text);
  });

  test("is written in at most eight digits, never longer than it is", () => {
    const cases: readonly (readonly [number, string])[] = [
      [1, "1m"],
      [99_999_999, "99999999m"],
      [100_000_999, "100000S"],
      [99_999_999_999, "99999999S"],
      [100_000_000_000, "1666666M"],
      [5_999_999_999_999, "99999999M"],
      [6_000_000_000_000, "1666666H"],
      [1e18, "99999999H"],
    ];
    for (const [ms, text] of cases) assert.equal(formatGrpcTimeout(ms), text);
  });
});

describe("the status of a call", () => {
  test("is a code of gRPC, and UNKNOWN for anything else", () => {
    const statusOf = (text: string): number | undefined => grpcStatusOf(HeaderList.of(["grpc-status", text]));
    assert.deepEqual(["0", "14", "16"].map(statusOf), [0, 14, 16]);
    for (const text of ["17", "99", "400", "-1", "", "OK", "1 "]) assert.equal(statusOf(text), 2, text);
    assert.equal(grpcStatusOf(new HeaderList()), undefined);
  });

  test("follows from the failure, or the HTTP status, where the peer sent none", () => {
    assert.equal(impliedGrpcStatus(200, Causes.upstreamClosedMidway), 14);
    assert.equal(impliedGrpcStatus(0, Causes.downstreamDisconnect), 1);
    const mapped = [400, 401, 403, 404, 429, 502, 503, 504, 200, 302, 500].map((status) => impliedGrpcStatus(status, undefined));
    assert.deepEqual(mapped, [13, 16, 7, 12, 14, 14, 14, 14, 2, 2, 2]);
  });

  test("has a message that any text survives in", () => {
    assert.equal(encodeGrpcMessage("no route"), "no route");
    assert.equal(encodeGrpcMessage("100 %\r\n"), "100 %25%0D%0A");
    assert.equal(encodeGrpcMessage("grün 🚦"), "gr%C3%BCn %F0%9F%9A%A6");
    for (const text of ["a%41", "ß".repeat(100), "🚦\u0000\x7f~ !%"]) assert.equal(decodeGrpcMessage(encodeGrpcMessage(text)), text);
  });
});
