// How the server side closes after its last response: FIN first, then it listens for a while, so that no reset overtakes
// the response (RFC 9112 §9.6).
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { HeaderList } from "../../../../../src/proxy-runtime/http/header-list.ts";
import type { DownstreamStream } from "../../../../../src/proxy-runtime/http/stream.ts";
import { eventually } from "../../../../support/eventually.ts";
import { recordRequests } from "../../../../support/request-recorder.ts";

const LINGER_MS = 60;
const GET = "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

describe("a connection after its last response", () => {
  test("ignores what still comes, and is closed when time is up", async () => {
    const { socket, log } = recordRequests({ delayedCloseTimeoutMs: LINGER_MS });
    socket.feed(GET);
    socket.feed("GET /more HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.deepEqual(log, ["GET / a "]);
    assert.equal(socket.isDestroyed, false);
    await eventually(() => assert.equal(socket.isDestroyed, true), { withinMs: 2000 });
  });

  function respond(stream: DownstreamStream): void {
    const size = 200_000;
    stream.sendHeaders(
      { status: 200, reason: "", headers: HeaderList.of(["content-length", String(size)]), contentLength: size, headBytes: 19 },
      false,
    );
    stream.sendData(Buffer.alloc(size, "x"), true);
  }

  test("stays as long as its response goes out, however slowly", async () => {
    // Long enough for a machine that is busy with other things in between.
    const delayedCloseTimeoutMs = 500;
    const { socket } = recordRequests({ delayedCloseTimeoutMs }, respond);
    socket.holdWrites();
    socket.feed(GET);
    while (socket.connection.unsentBytes > 0) {
      await delay(delayedCloseTimeoutMs * 0.7);
      assert.equal(socket.isDestroyed, false);
      socket.releaseWrite();
    }
    assert.equal(socket.written.match(/x/g)?.length, 200_000);
    await eventually(() => assert.equal(socket.isDestroyed, true), { withinMs: 2000 });
  });

  test("is closed when its peer has stopped reading", async () => {
    const { socket } = recordRequests({ delayedCloseTimeoutMs: LINGER_MS }, respond);
    socket.holdWrites();
    socket.feed(GET);
    await eventually(() => assert.equal(socket.isDestroyed, true), { withinMs: 2000 });
  });
});
