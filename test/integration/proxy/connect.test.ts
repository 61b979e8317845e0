// CONNECT, where configuration allows it: forwarded to the upstream, or ended here with plain TCP behind it.
import assert from "node:assert/strict";
import { after, before, describe, test, type TestContext } from "node:test";
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

const within = { withinMs: 5000 };
const CONNECT = "CONNECT db.test:5432 HTTP/1.1\r\nHost: other\r\nX-A: 1\r\n\r\n";
const HEAD_END = "\r\n\r\n";
const ALLOWED: Json = { upgrade_configs: [{ upgrade_type: "CONNECT" }] };
const ENDS_HERE: Json = { upgrade_configs: [{ upgrade_type: "CONNECT", connect_config: {} }] };

let server: RawServer;
let forwarding: TestPlane;
let ending: TestPlane;

const start = (port: number, action: Json, manager: Json = {}): Promise<TestPlane> =>
  startPlane(
    staticResources(
      [
        listener([
          {
            filters: [httpFilter([{ match: { connect_matcher: {} }, route: { cluster: "up", ...action } }, toCluster("up")], manager)],
          },
        ]),
      ],
      [cluster("up", [port])],
    ),
  );

before(async () => {
  server = await startRawServer();
  forwarding = await start(server.port, {}, ALLOWED);
  ending = await start(server.port, ENDS_HERE);
});
after(async () => {
  await server.stop();
  await forwarding.stop();
  await ending.stop();
});

/** A client whose bytes have made the proxy open a new upstream connection. */
async function connectThrough(plane: TestPlane, bytes = CONNECT): Promise<{ readonly client: RawPeer; readonly upstream: RawPeer }> {
  const count = server.peers.length;
  const client = await connectRaw(plane.port());
  client.write(bytes);
  return { client, upstream: await server.peer(count) };
}

describe("CONNECT that is forwarded", () => {
  test("reaches the upstream in authority form, and its 2xx opens the tunnel whatever its headers say", async () => {
    const { client, upstream } = await connectThrough(forwarding, `${CONNECT}early`);
    const seen = await upstream.receives(HEAD_END);
    assert.match(seen, /^CONNECT db\.test:5432 HTTP\/1\.1\r\nX-A: 1\r\nHost: db\.test:5432\r\n/);
    assert.ok(seen.endsWith(HEAD_END), "bytes went out before the answer");
    upstream.clear().write("HTTP/1.1 200 Connection Established\r\nContent-Length: 3\r\n\r\nhello");
    assert.equal(await upstream.receives("early"), "early");
    const got = await client.receives("hello");
    assert.match(got, /^HTTP\/1\.1 200 Connection Established\r\n/);
    assert.doesNotMatch(got, /content-length|transfer-encoding|upgrade/i);
    client.end(" bye");
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "early bye");
    upstream.end("!");
    await client.until((peer) => peer.closed, "close");
    assert.ok(client.text.endsWith("hello!"));
  });

  test("and refused by the upstream closes the connection: what followed was not for us", async () => {
    const { client, upstream } = await connectThrough(forwarding, `${CONNECT}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`);
    await upstream.receives(HEAD_END);
    upstream.write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 2\r\n\r\nno");
    const got = await client.untilEnd();
    assert.match(got, /^HTTP\/1\.1 407 [^]*\r\nconnection: close\r\n\r\nno$/);
    assert.ok(!server.peers.some((peer) => peer.text.includes("/hidden")));
    client.destroy();
  });
});

describe("CONNECT that ends here", () => {
  test("joins the client to plain TCP, and nothing but the tunnel's bytes goes there", async () => {
    const { client, upstream } = await connectThrough(ending, `${CONNECT}early`);
    const got = await client.receives(HEAD_END);
    assert.match(got, /^HTTP\/1\.1 200 OK\r\n/);
    assert.doesNotMatch(got, /content-length|transfer-encoding/i);
    assert.equal(await upstream.receives("early"), "early");
    client.clear();
    upstream.write("server first");
    await client.receives("server first");
    client.end("last");
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "earlylast");
    upstream.end("word");
    await client.until((peer) => peer.closed, "close");
    assert.equal(client.text, "server firstword");
    await eventually(() => {
      assert.equal(ending.stat("cluster.up.upstream_cx_active"), 0);
      assert.equal(ending.stat("cluster.up.upstream_rq_active"), 0);
      assert.equal(ending.stat("http.test.downstream_cx_upgrades_active"), 0);
    }, within);
    assert.equal(ending.stat("http.test.downstream_cx_upgrades_total"), 1);
  });

  test("passes a reset on, both ways", async () => {
    const one = await connectThrough(ending);
    await one.client.receives(HEAD_END);
    one.client.reset();
    await one.upstream.until((peer) => peer.closed, "close");
    assert.equal(one.upstream.error?.code, "ECONNRESET");
    const two = await connectThrough(ending);
    await two.client.receives(HEAD_END);
    two.upstream.reset();
    await two.client.until((peer) => peer.closed, "close");
    assert.equal(two.client.error?.code, "ECONNRESET");
  });

  test("says so when nobody listens", async (context) => {
    const unused = await startRawServer();
    await unused.stop();
    const plane = await start(unused.port, ENDS_HERE);
    context.after(() => plane.stop());
    const client = await connectRaw(plane.port());
    client.write(CONNECT);
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 503 [^]*x-mesh-error: UF; by=server; detail="127\.0\.0\.1:\d+: ECONNREFUSED"/);
    client.destroy();
  });

  test("leaves other requests to other routes", async () => {
    const { client, upstream } = await connectThrough(ending, "GET /plain HTTP/1.1\r\nHost: a\r\n\r\n");
    assert.match(await upstream.receives(HEAD_END), /^GET \/plain HTTP\/1\.1\r\n/);
    upstream.write(ok("plain"));
    await client.receives("plain");
    client.destroy();
  });
});

describe("CONNECT that nothing allows", () => {
  const refusal = async (context: TestContext, plane: TestPlane): Promise<string> => {
    context.after(() => plane.stop());
    const client = await connectRaw(plane.port());
    client.write(`${CONNECT}GET /hidden HTTP/1.1\r\nHost: a\r\n\r\n`);
    const text = await client.untilEnd();
    client.destroy();
    return text;
  };

  test("is refused with 403 and a reason, and the connection is closed", async (context) => {
    const count = server.peers.length;
    const got = await refusal(context, await start(server.port, {}));
    assert.match(
      got,
      /^HTTP\/1\.1 403 Forbidden\r\n[^]*x-mesh-error: -; by=client; detail="CONNECT is not allowed here"\r\n[^]*connection: close\r\n\r\n$/,
    );
    assert.equal(server.peers.length, count);
  });

  test("by its route is refused, whatever the connection manager says", async (context) => {
    const plane = await start(server.port, { upgrade_configs: [{ upgrade_type: "CONNECT", enabled: false }] }, ALLOWED);
    assert.match(await refusal(context, plane), /^HTTP\/1\.1 403 /);
  });

  test("by name is not allowed by *, which stands for protocols", async (context) => {
    assert.match(await refusal(context, await start(server.port, {}, { upgrade_configs: [{ upgrade_type: "*" }] })), /^HTTP\/1\.1 403 /);
  });

  test("and that no route matches is not found: no route by path is for it", async (context) => {
    const plane = await startPlane(
      staticResources([listener([{ filters: [httpFilter([toCluster("up")], ALLOWED)] }])], [cluster("up", [server.port])]),
    );
    assert.match(await refusal(context, plane), /^HTTP\/1\.1 404 [^]*x-mesh-error: NR; /);
  });
});
