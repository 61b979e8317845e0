// What HTTP/1 says between a client and the far application is the same over the mesh's own transport: byte by byte but for
// the headers that sidecars add, and those of a single connection.
import assert from "node:assert/strict";
import { describe, test, type TestContext } from "node:test";
import { ok, type RawPeer } from "../../support/raw-peer.ts";
import { MESH_ALPN, startSidecarPair, type SidecarPair } from "../../support/sidecar-pair.ts";

const ANY = { upgrade_configs: [{ upgrade_type: "*" }] };

interface Meeting {
  readonly client: RawPeer;
  readonly app: RawPeer;
  /** What the application got, without the lines that sidecars add. */
  readonly seen: string;
}

async function start(context: TestContext): Promise<SidecarPair> {
  return startSidecarPair(context, MESH_ALPN, { manager: { ...ANY, http_protocol_options: { accept_http_10: true } } });
}

async function meet(pair: SidecarPair, request: string, client?: RawPeer, connections = 1): Promise<Meeting> {
  const asking = client?.clear().write(request) ?? (await pair.send(request));
  const app = await pair.app.peer(connections - 1);
  const seen = (await app.receives("\r\n\r\n")).replace(/^x-(?:forwarded|request|envoy)-.*\r\n/gim, "");
  app.clear();
  return { client: asking, app, seen };
}

describe("over the mesh transport the far application sees", () => {
  test("method, absolute target, header case and order as they were sent", async (context) => {
    const request =
      "PurGE http://a.test/x?y=%7e HTTP/1.1\r\nACCEPT: */*\r\nHost: a.test\r\nX-MiXed: 1\r\nx-mixed: 2\r\nCookie: a=1\r\nCookie: b=2\r\n\r\n";
    const { seen, app, client } = await meet(await start(context), request);
    assert.equal(seen, request);
    app.write("HTTP/1.1 299 Just So\r\nX-Back: 1\r\nSet-COOKIE: c\r\nContent-Length: 0\r\n\r\n");
    assert.match(await client.receives("\r\n\r\n"), /^HTTP\/1\.1 299 Just So\r\nX-Back: 1\r\nSet-COOKIE: c\r\nContent-Length: 0\r\n/);
  });

  test("the protocol of an upgrade in the client's case, and the client the one that was chosen of several", async (context) => {
    const pair = await start(context);
    const offer = "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: WebSocket, Chat/2\r\n\r\n";
    const { client, app, seen } = await meet(pair, offer);
    assert.equal(seen, "GET / HTTP/1.1\r\nHost: a\r\nconnection: Upgrade\r\nupgrade: WebSocket, Chat/2\r\n\r\n");
    app.write("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: Chat/2\r\n\r\nhello");
    assert.match(await client.receives("hello"), /^HTTP\/1\.1 101 [^]*\r\nconnection: Upgrade\r\nupgrade: Chat\/2\r\n\r\nhello$/);
    client.write("back");
    await app.receives("back");
    assert.equal(pair.server.stat("http.test.downstream_cx_http2_total"), 1);
  });

  test("HTTP/1.0, and keeps its connection where the client keeps one", async (context) => {
    const pair = await start(context);
    const once = await meet(pair, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    assert.equal(once.seen, "GET / HTTP/1.0\r\nHost: a\r\n\r\n");
    once.app.write(ok("once"));
    assert.match(await once.client.untilEnd(), /\r\nconnection: close\r\n\r\nonce$/);
    await once.app.until((peer) => peer.closed || peer.ended, "end");

    const keeping = "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n";
    const first = await meet(pair, keeping, undefined, 2);
    assert.equal(first.seen, "GET / HTTP/1.0\r\nHost: a\r\nconnection: keep-alive\r\n\r\n");
    first.app.write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 4\r\n\r\nkept");
    assert.match(await first.client.receives("kept"), /\r\nconnection: keep-alive\r\n/);
    const second = await meet(pair, keeping, first.client, 2);
    second.app.write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\nagain");
    await second.client.receives("again");
    assert.equal(pair.app.peers.length, 2);
  });
});
