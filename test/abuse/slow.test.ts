// Clients that hold what they have opened by doing next to nothing: heads and bodies byte by byte, answers that nobody
// reads, handshakes that stop halfway, requests that nobody waits for. Each kind has an end.
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { dial, many, untilClosed } from "../support/abuse/crowd.ts";
import { scaled } from "../support/abuse/scale.ts";
import { abuse } from "../support/abuse/rounds.ts";
import { setMeshStage, setStage } from "../support/abuse/stage.ts";
import { eventually } from "../support/eventually.ts";
import { clientHello } from "../support/client-hello.ts";

const CROWD = scaled(1000, 200);
const AT_ONCE = 100;
const LIMIT = {
  manager: { request_headers_timeout: "1s", request_timeout: "1s", stream_idle_timeout: "2s", delayed_close_timeout: "0.5s" },
};
const DRIP_MS = 40;

/** Sends a byte at a time until the other side has had enough; resolves to what it answered. */
async function drip(socket: Socket, start: string): Promise<string> {
  const closed = untilClosed(socket);
  let isOver = false;
  void closed.then(() => (isOver = true));
  for (let index = 0; !isOver; index += 1) {
    socket.write(start.charAt(index) || "x");
    await delay(DRIP_MS);
  }
  socket.destroy();
  return closed;
}

describe("byte by byte", () => {
  test("a head is refused when its time is up", async (context) => {
    const stage = await setStage(context, LIMIT);
    await abuse(stage, async () => {
      const answers = await many(CROWD, CROWD, async () => drip(await dial(stage.ports.http), "GET / HTTP/1.1\r\nHost: a\r\nX: "));
      for (const each of answers) assert.match(each, /^HTTP\/1\.1 408 /);
    });
  });

  test("a body is refused when the request's time is up", async (context) => {
    const stage = await setStage(context, LIMIT);
    await abuse(stage, async () => {
      const head = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\n";
      const answers = await many(CROWD, CROWD, async () => {
        const socket = await dial(stage.ports.http);
        socket.write(head);
        return drip(socket, "");
      });
      for (const each of answers) assert.match(each, /^HTTP\/1\.1 408 /);
    });
  });
});

describe("an answer that nobody reads", () => {
  for (const [title, set] of [
    ["one proxy", setStage],
    ["two sidecars with mTLS between them", setMeshStage],
  ] as const) {
    test(`is given up through ${title}, and not kept in memory until then`, async (context) => {
      const stage = await set(context, LIMIT);
      await abuse(stage, async () => {
        const sockets = await many(scaled(100, 30), AT_ONCE, async () => {
          const socket = await dial(stage.ports.http);
          socket.pause();
          socket.write("GET /bytes/100000000 HTTP/1.1\r\nHost: a\r\n\r\n");
          return socket;
        });
        // Nobody reads, so nobody here sees the end. What is left is the bystander's.
        const active = (): Promise<number> => stage.proxies[0]!.stat(/^http\..*downstream_rq_active$/);
        await eventually(async () => assert.ok((await active()) <= 2), { withinMs: 30_000 });
        for (const each of sockets) each.destroy();
      });
    });
  }
});

test("a TLS handshake that stops, wherever it does, is given up when its time is up", async (context) => {
  const hello = clientHello({ serverName: "a", alpn: ["h2"] });
  const beginnings = [Buffer.alloc(0), hello.subarray(0, 3), hello.subarray(0, 60), hello];
  const stage = await setMeshStage(context, { chain: { transport_socket_connect_timeout: "1s" } });
  await abuse(stage, async () => {
    await many(CROWD, CROWD, async (index) => {
      const socket = await dial(stage.ports.mtls);
      socket.write(beginnings[index % beginnings.length]!);
      await untilClosed(socket);
      socket.destroy();
    });
  });
});

describe("requests that are given up before their answer", () => {
  const GIVEN_UP = scaled(10_000, 2_000);

  for (const [title, set] of [
    ["one proxy", setStage],
    ["two sidecars with mTLS between them", setMeshStage],
  ] as const) {
    test(`by thousands through ${title} cost nobody else a request`, async (context) => {
      const stage = await set(context);
      await abuse(stage, async () => {
        await many(GIVEN_UP, AT_ONCE / 2, async () => {
          const socket = await dial(stage.ports.http);
          socket.write("GET /never HTTP/1.1\r\nHost: a\r\n\r\n");
          // Time enough to be on its way.
          await delay(DRIP_MS);
          socket.resetAndDestroy();
        });
      });
    });
  }
});
