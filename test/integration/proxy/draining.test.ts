// Connections that are to end: by a change of configuration, by their age or number of requests, or with the proxy. No
// request that is under way fails, and none that a client sends before it can know.
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import {
  cluster,
  httpFilter,
  listener,
  startPlane,
  staticResources,
  toCluster,
  type Json,
  type TestPlane,
} from "../../support/proxy-plane.ts";
import { connectRaw, ok, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE = /\r\nconnection: close\r\n/;

let server: RawServer;
let proxy: TestPlane;
let open: RawPeer[] = [];

/** `version` only makes one chain differ from another. */
function config(version: string, manager: Json = {}): Json {
  return staticResources(
    [listener([{ name: version, filters: [httpFilter([toCluster("up")], { drain_timeout: "0.1s", ...manager })] }])],
    [cluster("up", [server.port])],
  );
}

async function start(manager: Json = {}): Promise<void> {
  proxy = await startPlane(config("1", manager));
}

async function client(): Promise<RawPeer> {
  const peer = await connectRaw(proxy.port());
  open.push(peer);
  return peer;
}

/** A client whose request has reached the host. */
async function asking(): Promise<{ peer: RawPeer; host: RawPeer }> {
  const peer = await client();
  const known = server.peers.length;
  peer.write(GET);
  const host = await server.peer(known);
  await host.receives("\r\n\r\n");
  return { peer, host: host.clear() };
}

/** A client that has been answered and keeps its connection. */
async function idle(): Promise<{ peer: RawPeer; host: RawPeer }> {
  const { peer, host } = await asking();
  host.write(ok("first"));
  await peer.receives("first");
  return { peer: peer.clear(), host };
}

before(async () => void (server = await startRawServer()));
after(() => server.stop());
beforeEach(() => (open = []));
afterEach(async () => {
  for (const each of open) each.destroy();
  await proxy.stop();
  for (const each of server.peers) each.destroy();
});

describe("a connection whose filter chain is replaced", () => {
  test("gets the response that it waits for, which says that it is the last", async () => {
    await start();
    const { peer, host } = await asking();
    await proxy.apply(config("2"));
    host.write(ok("late"));
    const answer = await peer.untilEnd();
    assert.match(answer, CLOSE);
    assert.match(answer, /late$/);
  });

  test("gets the rest of a response that has begun, and one more request is answered", async () => {
    await start({ drain_timeout: "60s" });
    const { peer, host } = await asking();
    host.write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
    await peer.receives("half");
    await proxy.apply(config("2"));
    host.write("half");
    assert.doesNotMatch(await peer.receives("halfhalf"), CLOSE);
    peer.clear().write(GET);
    await host.receives("\r\n\r\n");
    host.write(ok("second"));
    const answer = await peer.untilEnd();
    assert.match(answer, CLOSE);
    assert.match(answer, /second$/);
  });

  test("while idle is left to its client for a while, who learns with the next response", async () => {
    await start({ drain_timeout: "60s" });
    const { peer, host } = await idle();
    await proxy.apply(config("2"));
    peer.write(GET);
    await host.receives("\r\n\r\n");
    host.write(ok("second"));
    assert.match(await peer.untilEnd(), CLOSE);
    assert.equal(proxy.stat("http.test.downstream_cx_drain_close"), 1);
  });

  test("and which stays idle is closed after the drain timeout, one that never asked anything too", async () => {
    await start();
    const { peer } = await idle();
    const silent = await client();
    await eventually(() => assert.equal(proxy.stat("http.test.downstream_cx_active"), 2), { withinMs: 2000 });
    const since = performance.now();
    await proxy.apply(config("2"));
    await Promise.all([peer.untilEnd(), silent.untilEnd()]);
    assert.ok(performance.now() - since >= 99);
    assert.equal(peer.text, "");
  });

  test("gets an answer to every request that it has pipelined, the last of which says so", async () => {
    await start({ drain_timeout: "60s" });
    const { peer, host } = await asking();
    peer.write(GET + GET);
    await proxy.apply(config("2"));
    host.write(ok("answer 1"));
    for (const count of [2, 3]) {
      // Each may come over any connection.
      const asked = await eventually(
        () => server.peers.find((each) => !each.socket.destroyed && each.text.includes("\r\n\r\n")) ?? assert.fail(),
        {
          withinMs: 2000,
        },
      );
      asked.clear().write(ok(`answer ${count}`));
    }
    const answer = await peer.untilEnd();
    const parts = answer.split(/(?<=answer \d)/);
    assert.deepEqual(
      parts.map((each) => [each.slice(-1), CLOSE.test(each)]),
      [
        ["1", false],
        ["2", false],
        ["3", true],
      ],
    );
  });

  test("serves a body that is still coming", async () => {
    await start();
    const peer = await client();
    const known = server.peers.length;
    peer.write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
    const host = await server.peer(known);
    await host.receives("half");
    await proxy.apply(config("2"));
    peer.write("half");
    await host.receives("halfhalf");
    host.write(ok("whole"));
    const answer = await peer.untilEnd();
    assert.match(answer, CLOSE);
    assert.match(answer, /whole$/);
  });
});

describe("a connection manager's limit", () => {
  test("of a connection's age lets the request under way end, and closes an idle connection", async () => {
    await start({ common_http_protocol_options: { max_connection_duration: "0.1s" } });
    const { peer, host } = await asking();
    const { peer: unused } = await idle();
    await unused.untilEnd();
    assert.equal(proxy.stat("http.test.downstream_cx_max_duration_reached"), 2);
    host.write(ok("late"));
    assert.match(await peer.untilEnd(), CLOSE);
  });

  test("of requests lets the last one through, which says so", async () => {
    await start({ common_http_protocol_options: { max_requests_per_connection: 2 } });
    const { peer, host } = await idle();
    peer.write(GET);
    await host.receives("\r\n\r\n");
    host.write(ok("second"));
    const answer = await peer.untilEnd();
    assert.match(answer, CLOSE);
    assert.match(answer, /second$/);
    assert.equal(proxy.stat("http.test.downstream_cx_max_requests_reached"), 1);
    assert.equal(proxy.stat("http.test.downstream_rq_total"), 2);
  });
});

describe("when the proxy stops", () => {
  test("a request under way is told that it is this sidecar's doing", async () => {
    await start();
    const { peer } = await asking();
    await proxy.plane.stop();
    const answer = await peer.untilEnd();
    assert.match(answer, /^HTTP\/1\.1 503 /);
    assert.match(answer, /\r\nx-mesh-error: LR; by=client-sidecar; detail="the sidecar's time to drain is over"\r\n/);
  });

  test("a response that has begun breaks off", async () => {
    await start();
    const { peer, host } = await asking();
    host.write("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
    await peer.receives("half");
    await proxy.plane.stop();
    assert.match(await peer.untilEnd(), /half$/);
  });
});
