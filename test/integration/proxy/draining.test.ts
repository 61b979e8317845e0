// Connections that are to end: by a change of configuration, by their age or number of requests, or with the proxy. No
// request that is under way fails, and none that a client sends before it can know.
import assert from "node:assert/strict";
import { once } from "node:events";
import { Agent, get, type IncomingMessage } from "node:http";
import { connect as connectHttp2, type ClientHttp2Session, type ClientHttp2Stream } from "node:http2";
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
import { connectRaw, ok, startHttpPeer, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const GET = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
const CLOSE = /\r\nconnection: close\r\n/;

let server: RawServer;
let proxy: TestPlane;
let open: RawPeer[] = [];

/** `version` only makes one chain differ from another. */
function config(
  version: string,
  manager: Json = {},
  clusters: readonly Json[] = [cluster("up", [server.port])],
  routes: readonly Json[] = [toCluster("up")],
): Json {
  return staticResources([listener([{ name: version, filters: [httpFilter(routes, { drain_timeout: "0.1s", ...manager })] }])], clusters);
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

describe("a connection of HTTP/2 whose filter chain is replaced", () => {
  let session: ClientHttp2Session;

  async function begin(path: string): Promise<{ stream: ClientHttp2Stream; host: RawPeer }> {
    const known = server.peers.length;
    const stream = session.request({ ":path": path });
    const host = await server.peer(known);
    await host.receives("\r\n\r\n");
    return { stream, host };
  }

  async function answerOf(stream: ClientHttp2Stream): Promise<string> {
    let text = "";
    for await (const chunk of stream) text += String(chunk);
    return text;
  }

  beforeEach(async () => {
    await start({ drain_timeout: "60s" });
    session = connectHttp2(`http://127.0.0.1:${proxy.port()}`);
  });
  afterEach(() => session.destroy());

  test("serves its streams, and those that were on their way, before it ends", async () => {
    const first = await begin("/first");
    const second = await begin("/second");
    const applied = proxy.apply(config("2"));
    const third = await begin("/third");
    await applied;
    for (const each of [third, second, first]) each.host.write(ok("whole"));
    assert.deepEqual(await Promise.all([first, second, third].map(({ stream }) => answerOf(stream))), ["whole", "whole", "whole"]);
    await once(session, "close");
    assert.equal(proxy.stat("http.test.downstream_rq_2xx"), 3);
    assert.equal(proxy.stat("http.test.downstream_rq_total"), 3);
  });

  test("is told at once that it is to end", async () => {
    const { stream, host } = await begin("/");
    const told = once(session, "goaway");
    await proxy.apply(config("2"));
    assert.equal((await told)[0], 0);
    host.write(ok("late"));
    assert.equal(await answerOf(stream), "late");
  });
});

describe("a listener that is to close", () => {
  test("takes no new connections, and answers the requests that it has", async () => {
    await start();
    const { peer, host } = await asking();
    const port = proxy.port();
    proxy.plane.drain({ inboundOnly: false, close: true });
    await assert.rejects(connectRaw(port), { code: "ECONNREFUSED" });
    host.write(ok("late"));
    assert.match(await peer.untilEnd(), CLOSE);
    assert.match(peer.text, /late$/);
  });

  test("of the other direction goes on", async () => {
    await start();
    const { peer, host } = await asking();
    proxy.plane.drain({ inboundOnly: true, close: true });
    host.write(ok("answer"));
    assert.doesNotMatch(await peer.receives("answer"), CLOSE);
    await connectRaw(proxy.port()).then((each) => open.push(each));
  });

  test("because it is removed answers the requests that it has", async () => {
    await start();
    const { peer, host } = await asking();
    await proxy.apply(staticResources([], [cluster("up", [server.port])]));
    host.write(ok("late"));
    assert.match(await peer.untilEnd(), CLOSE);
    assert.match(peer.text, /late$/);
  });
});

describe("a cluster that is taken away", () => {
  for (const [how, left] of Object.entries({
    "with its route": () => config("2", {}, [], []),
    "host by host": () => config("1", {}, [cluster("up", [])]),
    "for another of its name": () => config("1", {}, [cluster("up", [server.port], { type: "STRICT_DNS" })]),
  }))
    test(`${how} answers the requests that it has, whose connections end with them`, async () => {
      await start();
      const { peer, host } = await asking();
      await proxy.apply(left());
      host.write(ok("late"));
      assert.match(await peer.receives("late"), /^HTTP\/1\.1 200 /);
      await host.untilEnd();
    });
});

test("not one of many requests fails while listeners and hosts change all the time", async (context) => {
  const hosts = await Promise.all(Array.from({ length: 2 }, async () => await startHttpPeer(() => ok("answer"))));
  context.after(async () => void (await Promise.all(hosts.map((each) => each.stop()))));
  const ports = hosts.map(({ port }) => port);
  proxy = await startPlane(config("0", { drain_timeout: "60s" }, [cluster("up", ports)]));
  const agent = new Agent({ keepAlive: true, maxSockets: 8 });
  context.after(() => agent.destroy());
  let sent = 0;
  const ask = async (): Promise<void> => {
    while (sent++ < 800) {
      const request = get({ port: proxy.port(), host: "127.0.0.1", agent });
      const [response] = (await once(request, "response")) as [IncomingMessage];
      assert.equal(response.statusCode, 200);
      assert.equal((await response.toArray()).join(""), "answer");
    }
  };
  const change = async (): Promise<void> => {
    for (let version = 1; sent < 800; version++) {
      const next = [ports, ports.slice(0, 1), ports.slice(1)][version % 3]!;
      await proxy.apply(config(String(version >> 1), { drain_timeout: "60s" }, [cluster("up", next)]));
      const then = sent + 5;
      await eventually(() => assert.ok(sent >= Math.min(then, 800)), { withinMs: 5000 });
    }
  };
  await Promise.all([change(), ...Array.from({ length: 8 }, ask)]);
  assert.equal(proxy.stat("http.test.downstream_rq_2xx"), 800);
  assert.ok(proxy.stat("http.test.downstream_cx_drain_close") > 50);
});

describe("a connection manager's limit", () => {
  test("of a connection's age lets the request under way end, and closes an idle connection", async () => {
    await start({ common_http_protocol_options: { max_connection_duration: "0.4s" } });
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
