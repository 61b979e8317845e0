// What the server side of the codec makes of a request's head beyond the tables of test/conformance/http1: options, limits,
// HTTP/1.0, Expect.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { recordRequests, type Recorded } from "../../../../support/request-recorder.ts";

function feedAll(pieces: readonly Buffer[], options: Parameters<typeof recordRequests>[0] = {}): Recorded {
  const recorded = recordRequests(options);
  for (const piece of pieces) recorded.socket.feed(piece);
  return recorded;
}

describe("the head of a request", () => {
  const head = (text: string, options: Parameters<typeof recordRequests>[0] = {}) => feedAll([Buffer.from(text, "latin1")], options);

  test("keeps the order, case and inner spaces of its headers", () => {
    const { heads } = head("GET / HTTP/1.1\r\nHost: a\r\nB-b: 1\r\na: \t x  y \t\r\nB-b: 2\r\n\r\n");
    assert.deepEqual(heads[0]!.headers.toFlat(), ["Host", "a", "B-b", "1", "a", "x  y", "B-b", "2"]);
  });

  test("of an absolute target carries the target's host on, not the other", () => {
    const { heads } = head("GET http://b/ HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.equal(heads[0]!.headers.getByName("host"), "b");
  });

  test("loses the fields that Connection names, but never those that frame or route it", () => {
    const { heads, log } = head(
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: X-A, content-length, host\r\nX-A: 1\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert.equal(heads[0]!.headers.getByName("x-a"), undefined);
    assert.deepEqual(log, ["POST / a hi"]);
    assert.equal(heads[0]!.contentLength, 2);
  });

  test("drops the length beside chunked where that is allowed", () => {
    const text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n";
    const { heads, log } = head(text, { allowChunkedLength: true });
    assert.deepEqual(log, ["POST / a hi"]);
    assert.equal(heads[0]!.headers.getByName("content-length"), undefined);
    assert.equal(heads[0]!.contentLength, -1);
  });

  test("says what an upgrade asks for only where Connection says so", () => {
    const upgrade = (lines: string): string => head(`GET / HTTP/1.1\r\nHost: a\r\n${lines}\r\n`).heads[0]!.upgrade;
    assert.equal(upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n"), "websocket");
    assert.equal(upgrade("Upgrade: websocket\r\n"), "");
  });

  test("has the limits that are configured", () => {
    const limits = { maxBytes: 100, maxHeaders: 3 };
    assert.match(head(`GET / HTTP/1.1\r\nHost: a\r\nx: ${"y".repeat(100)}\r\n\r\n`, { limits }).log[0]!, /^431 head larger than 100/);
    assert.match(head(`GET / HTTP/1.1\r\nHost: a\r\nx: ${"y".repeat(100)}`, { limits }).log[0]!, /^431 /);
    assert.match(head("GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\nx: 1\r\nx: 1\r\n\r\n", { limits }).log[0]!, /^431 more than 3/);
    assert.deepEqual(head("GET / HTTP/1.1\r\nHost: a\r\nx: 1\r\nx: 1\r\n\r\n", { limits }).log, ["GET / a "]);
  });

  test("sent byte by byte costs no more than its length times a small factor", () => {
    const bytes = Buffer.from(`GET /${"a".repeat(50_000)} HTTP/1.1\r\nHost: a\r\n\r\n`);
    const started = process.cpuUsage();
    const { log } = feedAll(Array.from(bytes, (_, index) => bytes.subarray(index, index + 1)));
    assert.equal(log.length, 1);
    // Of this process: what else the machine does counts for nothing. The square of the length takes seconds.
    const { user } = process.cpuUsage(started);
    assert.ok(user < 600_000, `took ${user} µs`);
  });
});

describe("HTTP/1.0", () => {
  const http10 = { acceptHttp10: true };
  const run = (text: string, options: Parameters<typeof recordRequests>[0] = http10) => feedAll([Buffer.from(text, "latin1")], options);

  test("closes after the response unless the client asks to keep the connection", () => {
    assert.match(run("GET / HTTP/1.0\r\nHost: a\r\n\r\n").socket.written, /\r\nconnection: close\r\n/);
    const kept = run("GET /1 HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\nGET /2 HTTP/1.0\r\nHost: a\r\n\r\n");
    assert.deepEqual(kept.log, ["GET /1 a ", "GET /2 a "]);
    assert.match(kept.socket.written, /^HTTP\/1\.1 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\nHTTP/);
  });

  test("needs a host or a default one", () => {
    assert.match(run("GET / HTTP/1.0\r\n\r\n").log[0]!, /^400 /);
    assert.deepEqual(run("GET / HTTP/1.0\r\n\r\n", { ...http10, defaultHostForHttp10: "d" }).log, ["GET / d "]);
  });

  test("gets no 100 Continue", () => {
    assert.doesNotMatch(
      run("POST / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\nx").socket.written,
      /100 Continue/,
    );
  });
});

describe("Expect", () => {
  test("100-continue is answered before the body, and goes no further", () => {
    const recorded = recordRequests();
    recorded.socket.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
    assert.equal(recorded.socket.written, "HTTP/1.1 100 Continue\r\n\r\n");
    assert.equal(recorded.heads[0]!.headers.getByName("expect"), undefined);
    recorded.socket.feed("hi");
    assert.deepEqual(recorded.log, ["POST / a hi"]);
  });

  test("is not answered where there is no body to wait for", () => {
    const recorded = recordRequests();
    recorded.socket.feed("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n");
    assert.doesNotMatch(recorded.socket.written, /100 Continue/);
  });
});
