// Upgrades to protocols of an application's own, raw bytes on both ends: what passes before the answer, with it and after
// it; refusals; ends in every order; time, backpressure and drain.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { accessLog, plainHop, startPlane, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const within = { withinMs: 5000 };
const ANY: Json = { upgrade_configs: [{ upgrade_type: "*" }] };
const SWITCH = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: Chat/2\r\nX-Room: 7\r\n\r\n";
const OFFER = "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: Chat/2\r\nX-Key: 1\r\n\r\n";
const HEAD_END = "\r\n\r\n";

let server: RawServer;
let proxy: TestPlane;
const logFolder = mkdtempSync(join(tmpdir(), "meshctl-upgrades-"));
const log = join(logFolder, "access.log");

before(async () => {
  server = await startRawServer();
  proxy = await startPlane(plainHop([server.port], { manager: ANY }));
});
after(async () => {
  await server.stop();
  await proxy.stop();
  rmSync(logFolder, { recursive: true });
});

/** A plane of the test's own. */
async function planeFor(context: TestContext, options: Parameters<typeof plainHop>[1], ports = [server.port]): Promise<TestPlane> {
  const plane = await startPlane(plainHop(ports, options));
  context.after(() => plane.stop());
  return plane;
}

interface Pair {
  readonly client: RawPeer;
  readonly upstream: RawPeer;
}

let offers = 0;

/** A client's offer, and the upstream connection on which it has arrived. */
async function offer(plane = proxy, request = OFFER): Promise<Pair & { readonly seen: string }> {
  const path = `/chat?${(offers += 1)}.`;
  const client = await connectRaw(plane.port());
  client.write(request.replace("/chat", path));
  const upstream = await eventually(() => {
    const found = server.peers.find((each) => each.text.includes(path) && each.text.includes(HEAD_END));
    assert.ok(found);
    return found;
  }, within);
  const seen = upstream.text.replace(path, "/chat");
  upstream.clear();
  return { client, upstream, seen };
}

/** A tunnel that is open. */
async function tunnel(plane = proxy): Promise<Pair> {
  const { client, upstream } = await offer(plane);
  upstream.write(SWITCH);
  await client.receives(HEAD_END);
  client.clear();
  return { client, upstream };
}

describe("an upgrade", () => {
  test("passes with its token and header case, and so does the answer", async () => {
    const { client, upstream, seen } = await offer();
    assert.match(
      seen,
      /^GET \/chat HTTP\/1\.1\r\nHost: a\r\nX-Key: 1\r\n(?:x-[^\r]*\r\n)*connection: Upgrade\r\nupgrade: Chat\/2\r\n\r\n$/,
    );
    upstream.write(`${SWITCH}hello`);
    const got = await client.receives("hello");
    assert.match(got, /^HTTP\/1\.1 101 Switching Protocols\r\nX-Room: 7\r\n[^]*connection: Upgrade\r\nupgrade: Chat\/2\r\n\r\nhello$/);
    assert.doesNotMatch(got, /content-length|transfer-encoding/i);
    client.write("\0\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    assert.equal(await upstream.receives("GET"), "\0\xff\r\n\r\nGET / HTTP/1.1\r\n\r\n");
    client.destroy();
  });

  test("lets nothing that follows it reach the server before the server has agreed", async () => {
    const { client, upstream, seen } = await offer(proxy, `${OFFER}early`);
    client.write(" bird");
    await delay(30);
    assert.equal(upstream.text, "");
    assert.ok(seen.endsWith(HEAD_END));
    upstream.write(SWITCH);
    assert.equal(await upstream.receives("bird"), "early bird");
    client.destroy();
  });

  test("that the server refuses leaves an ordinary response, and what follows is the next request", async () => {
    const next = "GET /next HTTP/1.1\r\nHost: a\r\n\r\n";
    const { client, upstream } = await offer(proxy, OFFER + next);
    upstream.write("HTTP/1.1 426 Upgrade Required\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nno\r\n0\r\n\r\n");
    assert.match(await client.receives("0\r\n\r\n"), /^HTTP\/1\.1 426 [^]*\r\n2\r\nno\r\n0\r\n\r\n/);
    assert.match(await upstream.receives("/next"), /^GET \/next HTTP\/1\.1\r\n/, "on the same upstream connection");
    await upstream.receives(HEAD_END);
    client.clear();
    upstream.write(ok("next"));
    await client.receives("next");
    client.destroy();
  });

  test("answered by 101 to a protocol that was not offered is a protocol error", async () => {
    const { client, upstream } = await offer();
    upstream.write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n");
    assert.match(await client.receives(HEAD_END), /^HTTP\/1\.1 502 [^]*x-mesh-error: UPE; by=server; detail="101 to a protocol/);
    client.destroy();
  });

  test("that nobody asked for is a protocol error", async () => {
    const { client, upstream } = await offer(proxy, "GET /chat HTTP/1.1\r\nHost: a\r\n\r\n");
    upstream.write(SWITCH);
    assert.match(await client.receives(HEAD_END), /^HTTP\/1\.1 502 /);
    client.destroy();
  });

  test("to h2c is not passed on, and the request is answered", async () => {
    const { client, upstream, seen } = await offer(
      proxy,
      "GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n",
    );
    assert.doesNotMatch(seen, /upgrade|settings|connection/i);
    upstream.write(ok("plain"));
    await client.receives("plain");
    client.destroy();
  });
});

describe("an upgrade that configuration does not allow", () => {
  const count = (): number => server.peers.length;

  test("is refused with 403 and a reason, without a word to the upstream, and the connection goes on", async (context) => {
    const plane = await planeFor(context, {});
    const before = count();
    const client = await connectRaw(plane.port());
    client.write(OFFER);
    assert.match(
      await client.receives(HEAD_END),
      /^HTTP\/1\.1 403 Forbidden\r\n[^]*x-mesh-error: -; by=client; detail="upgrade to chat\/2 is not allowed here"/,
    );
    assert.equal(count(), before);
    assert.equal(plane.stat("http.test.downstream_rq_ws_on_non_ws_route"), 1);
    client.clear().write("GET /after HTTP/1.1\r\nHost: a\r\n\r\n");
    await eventually(() => assert.ok(server.peers.some((each) => each.text.includes("/after"))), within);
    client.destroy();
  });

  test("is decided by the route before the connection manager", async (context) => {
    const route = (enabled: boolean): Json => ({ upgrade_configs: [{ upgrade_type: "CHAT/2", enabled }] });
    const statusWith = async (manager: Json, action: Json): Promise<string> => {
      const plane = await planeFor(context, { manager, action });
      const before = count();
      const client = await connectRaw(plane.port());
      client.write(OFFER);
      const status = await Promise.race([
        client.receives(HEAD_END).then((text) => text.slice(9, 12)),
        eventually(() => assert.ok(count() > before), within).then(() => "forwarded"),
      ]);
      client.destroy();
      return status;
    };
    const listed: Json = { upgrade_configs: [{ upgrade_type: "websocket" }, { upgrade_type: "chat/2" }] };
    assert.equal(await statusWith(listed, {}), "forwarded");
    assert.equal(await statusWith(listed, route(false)), "403");
    assert.equal(await statusWith({}, route(true)), "forwarded");
    assert.equal(await statusWith({ upgrade_configs: [{ upgrade_type: "chat/2", enabled: false }] }, {}), "403");
    assert.equal(await statusWith({ upgrade_configs: [{ upgrade_type: "*" }, { upgrade_type: "chat/2", enabled: false }] }, {}), "403");
    assert.equal(await statusWith({ upgrade_configs: [{ upgrade_type: "websocket" }] }, {}), "403");
  });
});

describe("a tunnel", () => {
  test("lets the client go on after the server has ended its half", async () => {
    const { client, upstream } = await tunnel();
    upstream.end("bye");
    await client.until((peer) => peer.ended, "FIN");
    assert.equal(client.text, "bye");
    client.write("still here");
    await upstream.receives("still here");
    client.end(" and gone");
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "still here and gone");
    await client.until((peer) => peer.closed, "close");
  });

  test("lets the server go on after the client has ended its half", async () => {
    const { client, upstream } = await tunnel();
    client.end("bye");
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "bye");
    upstream.write("still here");
    await client.receives("still here");
    upstream.end(" and gone");
    await client.until((peer) => peer.closed, "close");
    assert.equal(client.text, "still here and gone");
  });

  test("ends its half for a client that had ended before the answer", async () => {
    const { client, upstream } = await offer(proxy, `${OFFER}all`);
    client.end();
    await delay(20);
    upstream.write(`${SWITCH}late`);
    await upstream.until((peer) => peer.ended, "FIN");
    assert.equal(upstream.text, "all");
    upstream.end("r");
    await client.until((peer) => peer.closed, "close");
    assert.ok(client.text.endsWith("later"));
  });

  test("passes a reset on, both ways", async () => {
    const one = await tunnel();
    one.client.reset();
    await one.upstream.until((peer) => peer.closed, "close");
    assert.equal(one.upstream.error?.code, "ECONNRESET");
    const two = await tunnel();
    two.upstream.reset();
    await two.client.until((peer) => peer.closed, "close");
    assert.equal(two.client.error?.code, "ECONNRESET");
  });

  for (const first of ["client", "server"] as const) {
    test(`whose ${first} ends first stands in log and counters when both have, as status 101 with its bytes`, async (context) => {
      const plane = await planeFor(context, { manager: { ...ANY, ...accessLog(log) } });
      const { client, upstream } = await tunnel(plane);
      const [one, other] = first === "client" ? [client, upstream] : [upstream, client];
      one.end("123");
      await other.until((peer) => peer.ended, "FIN");
      assert.equal(plane.stat("http.test.downstream_cx_upgrades_active"), 1);
      assert.equal(plane.stat("cluster.up.upstream_rq_active"), 1);
      other.end("12345");
      await one.until((peer) => peer.closed, "close");
      await eventually(() => assert.equal(plane.stat("http.test.downstream_cx_upgrades_active"), 0), within);
      const counts = first === "client" ? "3 5" : "5 3";
      const line = new RegExp(`"GET /chat\\?${offers}\\. HTTP/1\\.1" 101 - ${counts} \\d+ \\d+ `);
      await eventually(() => assert.match(readFileSync(log, "utf8"), line), within);
      assert.equal(plane.stat("cluster.up.upstream_rq_active"), 0);
      assert.equal(plane.stat("http.test.downstream_rq_active"), 0);
    });
  }

  for (const direction of ["down", "up"] as const) {
    test(`holds a fast sender back ${direction}stream, and loses nothing`, async () => {
      const { client, upstream } = await tunnel();
      const [from, to] = direction === "down" ? [upstream, client] : [client, upstream];
      to.socket.pause();
      const piece = Buffer.alloc(1_048_576, "x");
      let sent = 0;
      // Far more than kernels and the proxy may hold: at some moment a write is not taken any more.
      const isTaken = (): Promise<boolean> =>
        Promise.race([new Promise<boolean>((resolve) => from.socket.write(piece, () => resolve(true))), delay(300, false)]);
      do sent += piece.length;
      while ((await isTaken()) && sent < 200 * piece.length);
      assert.ok(sent < 30 * piece.length, `${sent} bytes were taken`);
      from.socket.end();
      let received = 0;
      to.socket.removeAllListeners("data");
      to.socket.on("data", (chunk: Buffer) => void (received += chunk.length));
      to.socket.resume();
      await to.until((peer) => peer.ended, "FIN");
      assert.equal(received, sent);
      to.socket.end();
      await from.until((peer) => peer.closed, "close");
    });
  }
});

test("a tunnel of HTTP/2 holds its client's early bytes back, too, and ends each half by itself", async (context) => {
  const plane = await planeFor(context, { manager: { ...ANY, http2_protocol_options: { allow_connect: true } } });
  const session = connectHttp2(`http://127.0.0.1:${plane.port()}`);
  context.after(() => session.destroy());
  await once(session, "remoteSettings");
  const path = `/chat?${(offers += 1)}.`;
  const stream = session.request({ ":method": "CONNECT", ":protocol": "chat", ":scheme": "http", ":authority": "a", ":path": path });
  let received = "";
  stream.setEncoding("latin1").on("data", (chunk: string) => (received += chunk));
  stream.write("early");
  const upstream = await eventually(() => {
    const found = server.peers.find((each) => each.text.includes(path) && each.text.includes(HEAD_END));
    assert.ok(found);
    return found;
  }, within);
  await delay(30);
  assert.match(upstream.text, /^GET \/chat\?\d+\. HTTP\/1\.1\r\n[^]*\r\nconnection: Upgrade\r\nupgrade: chat\r\n\r\n$/);
  upstream.clear().write("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: chat\r\n\r\n");
  assert.equal(await upstream.receives("early"), "early");
  upstream.end("bye");
  await once(stream, "end");
  assert.equal(received, "bye");
  stream.end(" and late");
  await upstream.until((peer) => peer.ended, "FIN");
  assert.equal(upstream.text, "early and late");
});

test("an answer without switching, which HTTP/2 could not tell from one with it, is a failure for a client of HTTP/2", async (context) => {
  const plane = await planeFor(context, { manager: { ...ANY, http2_protocol_options: { allow_connect: true } } });
  const session = connectHttp2(`http://127.0.0.1:${plane.port()}`);
  context.after(() => session.destroy());
  await once(session, "remoteSettings");
  const path = `/chat?${(offers += 1)}.`;
  const stream = session.request({ ":method": "CONNECT", ":protocol": "chat", ":scheme": "http", ":authority": "a", ":path": path });
  const upstream = await eventually(() => {
    const found = server.peers.find((each) => each.text.includes(path) && each.text.includes(HEAD_END));
    assert.ok(found);
    return found;
  }, within);
  upstream.clear().write(ok("what upgrade?"));
  const [headers] = (await once(stream, "response")) as [Record<string, string>];
  assert.equal(headers[":status"], 502);
  assert.match(headers["x-mesh-error"]!, /^UPE; by=server; detail="status 200 to an upgrade/);
});

describe("time", () => {
  test("of the route ends with the head of the answer", async (context) => {
    const plane = await planeFor(context, { manager: ANY, action: { timeout: "0.2s" } });
    const { client, upstream } = await tunnel(plane);
    await delay(350);
    upstream.write("alive");
    await client.receives("alive");
    client.destroy();
  });

  test("of the route runs out for a server that does not answer", async (context) => {
    const plane = await planeFor(context, { manager: ANY, action: { timeout: "0.2s" } });
    const { client } = await offer(plane);
    assert.match(await client.receives(HEAD_END), /^HTTP\/1\.1 504 /);
    client.destroy();
  });

  test("without a byte either way ends a tunnel", async (context) => {
    const plane = await planeFor(context, { manager: { ...ANY, stream_idle_timeout: "0.6s" } });
    const { client, upstream } = await tunnel(plane);
    for (let round = 0; round < 4; round += 1) {
      await delay(200);
      (round % 2 === 0 ? client : upstream).write("x");
    }
    assert.equal(client.closed, false);
    await client.until((peer) => peer.closed, "close");
    await upstream.until((peer) => peer.closed, "close");
    assert.equal(plane.stat("http.test.downstream_rq_idle_timeout"), 1);
  });
});

test("a drain leaves open tunnels alone until they end", async (context) => {
  const plane = await planeFor(context, { manager: ANY });
  const { client, upstream } = await tunnel(plane);
  plane.plane.drain({ inboundOnly: false, close: true });
  client.write("ping");
  await upstream.receives("ping");
  upstream.write("pong");
  await client.receives("pong");
  client.end();
  await upstream.until((peer) => peer.ended, "FIN");
  upstream.end();
  await client.until((peer) => peer.closed, "close");
  await eventually(() => assert.equal(plane.stat("http.test.downstream_cx_active"), 0), within);
});
