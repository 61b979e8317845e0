// Clients that end their half of an HTTP/1 connection: behind their request, as nc -N does, and later, as one does that has
// given up. And what of HTTP/1.0 a far server sees.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { after, before, describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../../support/eventually.ts";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

const within = { withinMs: 5000 };
const HEAD_END = "\r\n\r\n";
let server: RawServer;
let proxy: TestPlane;

before(async () => {
  server = await startRawServer();
  proxy = await startPlane(plainHop([server.port], { manager: { http_protocol_options: { accept_http_10: true } } }));
});
after(async () => {
  await server.stop();
  await proxy.stop();
});

const get = (path: string, headers = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

/** The upstream connection on which this path has come, with its whole head. */
async function upstreamOf(path: string): Promise<RawPeer> {
  return eventually(() => {
    const found = server.peers.find((peer) => peer.text.includes(` ${path} `) && peer.text.includes(HEAD_END));
    assert.ok(found);
    return found;
  }, within);
}

describe("a client that ends its half", () => {
  test("behind its request is answered, however long that takes", async () => {
    const client = await connectRaw(proxy.port());
    client.end(get("/1"));
    const upstream = await upstreamOf("/1");
    await delay(400);
    upstream.clear().write("HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\none");
    await client.receives("one");
    upstream.write("two");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 OK\r\n[^]*\r\nconnection: close\r\n\r\nonetwo$/);
  });

  test("behind a body is answered", async () => {
    const client = await connectRaw(proxy.port());
    client.end("POST /2 HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n");
    const upstream = await upstreamOf("/2");
    await upstream.receives("0\r\n\r\n");
    upstream.clear().write(ok("done"));
    assert.match(await client.untilEnd(), /done$/);
  });

  test("behind several requests gets all answers, in order", async () => {
    const client = await connectRaw(proxy.port());
    client.end(get("/3a") + get("/3b") + get("/3c"));
    for (const path of ["/3a", "/3b", "/3c"]) (await upstreamOf(path)).clear().write(ok(`answer to ${path}.`));
    const got = await client.untilEnd();
    assert.deepEqual(got.match(/answer to \/3./g), ["answer to /3a", "answer to /3b", "answer to /3c"]);
  });

  test("within its request's body or head is not waited for", async () => {
    const client = await connectRaw(proxy.port());
    client.end("POST /4 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nhalf");
    const upstream = await upstreamOf("/4");
    await upstream.until((peer) => peer.closed || peer.ended, "end");
    assert.equal(await client.untilEnd(), "");
    const other = await connectRaw(proxy.port());
    other.end("GET /4 HTTP/1.1\r\nHo");
    assert.equal(await other.untilEnd(), "");
  });

  test("while it waits has given up: its request is cancelled", async () => {
    const client = await connectRaw(proxy.port());
    client.write(get("/5"));
    const upstream = await upstreamOf("/5");
    await delay(350);
    client.end();
    await upstream.until((peer) => peer.closed || peer.ended, "end");
    await eventually(() => assert.equal(proxy.stat("http.test.downstream_rq_active"), 0), within);
  });

  test("is nc -N", async () => {
    const child = spawn("nc", ["-N", "127.0.0.1", String(proxy.port())], { stdio: ["pipe", "pipe", "inherit"] });
    const closed = new Promise((resolve) => child.on("close", resolve));
    let got = "";
    child.stdout.setEncoding("latin1").on("data", (chunk: string) => (got += chunk));
    child.stdin.end(get("/6"));
    (await upstreamOf("/6")).clear().write(ok("hello nc"));
    assert.equal(await closed, 0);
    assert.match(got, /^HTTP\/1\.1 200 OK\r\n[^]*hello nc$/);
  });
});

describe("a request of HTTP/1.0", () => {
  test("is one upstream as well, and its connection is not used again", async () => {
    const client = await connectRaw(proxy.port());
    client.write("GET /7 HTTP/1.0\r\nHost: a\r\n\r\n");
    const upstream = await upstreamOf("/7");
    assert.match(upstream.text, /^GET \/7 HTTP\/1\.0\r\n/);
    assert.doesNotMatch(upstream.text, /connection:/i);
    // A server of HTTP/1.1 says so, and closes a moment later all the same.
    upstream.clear().write(ok("seven"));
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 200 OK\r\n[^]*\r\nconnection: close\r\n\r\nseven$/);
    await upstream.until((peer) => peer.closed || peer.ended, "end");
  });

  test("that keeps its connection says so upstream, and both are kept", async () => {
    const client = await connectRaw(proxy.port());
    const request = (path: string): string => `GET ${path} HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n`;
    client.write(request("/8a"));
    const upstream = await upstreamOf("/8a");
    assert.match(upstream.text, /^GET \/8a HTTP\/1\.0\r\n[^]*\r\nconnection: keep-alive\r\n\r\n$/);
    upstream.clear().write("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 5\r\n\r\neight");
    assert.match(await client.receives("eight"), /\r\nconnection: keep-alive\r\n/);
    client.clear().write(request("/8b"));
    assert.equal(await upstreamOf("/8b"), upstream);
    upstream.clear().write(ok("again"));
    await client.receives("again");
    client.destroy();
  });
});

describe("an expectation", () => {
  test("of a request that its head alone condemns gets the final answer, and no invitation", async (context) => {
    const plane = await startPlane(plainHop([server.port], { route: { match: { prefix: "/here" } } }));
    context.after(() => plane.stop());
    const client = await connectRaw(plane.port());
    client.write("POST /elsewhere HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n");
    const got = await client.untilEnd();
    assert.match(got, /^HTTP\/1\.1 404 [^]*\r\nconnection: close\r\n/);
    assert.doesNotMatch(got, /100 Continue/);
    client.destroy();
  });
});
