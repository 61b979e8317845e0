// Requests that come before the answers to earlier ones are read.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { HeaderList } from "../../../../../src/proxy-runtime/http/header-list.ts";
import type { DownstreamStream } from "../../../../../src/proxy-runtime/http/stream.ts";
import { WRITE_HIGH_WATER } from "../../../../../src/proxy-runtime/transport/socket-writer.ts";
import { recordRequests } from "../../../../support/request-recorder.ts";

const SIZE = WRITE_HIGH_WATER + 50_000;
const GETS = "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\nGET /3 HTTP/1.1\r\nHost: a\r\n\r\n";

function respond(stream: DownstreamStream): void {
  const headers = HeaderList.of(["content-length", String(SIZE)]);
  stream.sendHeaders({ status: 200, reason: "", headers, contentLength: SIZE, headBytes: 19 }, false);
  stream.sendData(Buffer.alloc(SIZE, "x"), true);
}

describe("pipelined requests", () => {
  test("wait until the client has read enough of the answers before them", async () => {
    const { socket, log } = recordRequests({}, respond);
    socket.holdWrites();
    socket.feed(GETS);
    for (const count of [1, 2, 3]) {
      assert.equal(log.length, count);
      assert.equal(socket.connection.isPaused, count < 3);
      while (log.length === count && socket.releaseWrite()) await turn();
    }
    assert.equal(socket.written.match(/x/g)?.length, 3 * SIZE);
    assert.equal(socket.connection.isPaused, false);
  });

  test("that come while nothing is read of the answers are not read either", async () => {
    const { socket, log } = recordRequests({}, respond);
    socket.holdWrites();
    socket.feed(GETS.slice(0, GETS.indexOf("GET /2")));
    assert.equal(socket.connection.isPaused, false);
    socket.feed(GETS.slice(GETS.indexOf("GET /2")));
    assert.equal(log.length, 1);
    assert.equal(socket.connection.isPaused, true);
    while (socket.releaseWrite()) await turn();
    assert.equal(log.length, 3);
  });
});
