// HTTP/1.1 through the proxy, both ends raw sockets: what a client and a server may do, and what each of them sees.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { plainHop, startPlane, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, ok, startRawServer, type RawPeer, type RawServer } from "../../support/raw-peer.ts";

let server: RawServer;
let proxy: TestPlane;
const clients: RawPeer[] = [];

before(async () => {
  server = await startRawServer();
  proxy = await startPlane(plainHop([server.port], { manager: { http_protocol_options: { accept_http_10: true } } }));
});
after(async () => {
  for (const each of clients) each.destroy();
  await server.stop();
  await proxy.stop();
});

async function client(): Promise<RawPeer> {
  const peer = await connectRaw(proxy.port());
  clients.push(peer);
  return peer;
}

/** The upstream connection that received this text. */
function upstreamOf(part: string): Promise<RawPeer> {
  return eventually(
    () => {
      const found = server.peers.find((peer) => peer.text.includes(part));
      assert.ok(found !== undefined, `no upstream received ${part}`);
      return found;
    },
    { withinMs: 5000 },
  );
}

let paths = 0;
const freshPath = (): string => `/r${(paths += 1)}.`;

interface Exchange {
  readonly seen: string;
  readonly client: RawPeer;
  readonly upstream: RawPeer;
}

/** Sends a request, waits until its head has arrived, and answers it. */
async function exchange(request: (path: string) => string, response: string, on?: RawPeer): Promise<Exchange> {
  const path = freshPath();
  const peer = on ?? (await client());
  peer.write(request(path));
  const upstream = await upstreamOf(path);
  await upstream.receives("\r\n\r\n");
  const seen = upstream.text;
  upstream.clear().write(response);
  return { seen, client: peer, upstream };
}

const get = (path: string, headers = ""): string => `GET ${path} HTTP/1.1\r\nHost: a\r\n${headers}\r\n`;

describe("an HTTP/1.1 exchange", () => {
  test("passes names and values as they were sent, and drops what belongs to one connection", async () => {
    const hops = "Connection: keep-alive, x-hop\r\nX-Hop: secret\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nTE: gzip\r\n";
    const { seen, client: peer } = await exchange(
      (path) => `GET ${path}?q=1 HTTP/1.1\r\nHost: Example.Test\r\nX-CamelCase: a  b\r\nx-UPPER: v\r\n${hops}\r\n`,
      ok("hi", "X-Served-By: Me\r\nConnection: x-private\r\nX-Private: 1\r\nKeep-Alive: timeout=5\r\n"),
    );
    const got = await peer.receives("hi");
    assert.match(seen, /\r\nHost: Example\.Test\r\nX-CamelCase: a {2}b\r\nx-UPPER: v\r\n/);
    assert.doesNotMatch(seen, /hop|keep-alive|proxy-connection|te:|connection/i);
    assert.match(got, /^HTTP\/1\.1 200 OK\r\ncontent-length: 2\r\nX-Served-By: Me\r\n/);
    assert.doesNotMatch(got, /private|keep-alive|\r\nconnection/i);
    assert.match(got, /\r\nserver: envoy\r\n/);
    assert.match(got, /\r\nx-envoy-upstream-service-time: \d+\r\n/);
  });

  test("keeps both connections for the next request", async () => {
    const first = await exchange((path) => get(path), ok("one"));
    await first.client.receives("one");
    const count = server.peers.length;
    const second = await exchange((path) => get(path), ok("two"), first.client);
    await second.client.receives("two");
    assert.equal(server.peers.length, count);
    assert.equal(second.upstream, first.upstream);
  });

  test("answers pipelined requests in order, and starts none before the one before it is answered", async () => {
    const [slow, quick, last] = [freshPath(), freshPath(), freshPath()];
    const peer = await client();
    peer.write(get(slow) + get(quick) + `POST ${last} HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n`);
    peer.write("abc");
    const one = await upstreamOf(slow);
    await new Promise((resolve) => setTimeout(resolve, 30));
    assert.ok(!server.peers.some((each) => each.text.includes(quick)), "the second request went out early");
    one.clear().write("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nsl");
    one.write("ow");
    (await upstreamOf(quick)).clear().write(ok("quick"));
    const three = await upstreamOf(last);
    await three.receives("abc");
    three.clear().write(ok("last"));
    const got = await peer.receives("last");
    assert.deepEqual(got.match(/slow|quick|last/g), ["slow", "quick", "last"]);
  });

  test("gives HEAD, 204 and 304 no body, whatever their content-length says", async () => {
    const head = await exchange((path) => `HEAD ${path} HTTP/1.1\r\nHost: a\r\n\r\n`, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n");
    assert.match(await head.client.receives("\r\n\r\n"), /\r\nContent-Length: 10\r\n/);
    const not = await exchange(
      (path) => get(path),
      "HTTP/1.1 304 Not Modified\r\nContent-Length: 10\r\nETag: x\r\n\r\n",
      head.client.clear(),
    );
    assert.match(await not.client.receives("\r\n\r\n"), /^HTTP\/1\.1 304 Not Modified\r\nContent-Length: 10\r\n/);
    const none = await exchange((path) => get(path), "HTTP/1.1 204 No Content\r\nContent-Length: 10\r\n\r\n", head.client.clear());
    const got = await none.client.receives("\r\n\r\n");
    assert.doesNotMatch(got, /content-length|transfer-encoding/i);
    const next = await exchange((path) => get(path), ok("after"), head.client.clear());
    assert.match(await next.client.receives("after"), /^HTTP\/1\.1 200 OK\r\n/);
  });

  test("answers 100-continue itself, before the upstream has said anything", async () => {
    const path = freshPath();
    const peer = await client();
    peer.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n`);
    await peer.receives("HTTP/1.1 100 Continue\r\n\r\n");
    peer.clear().write("hi");
    const upstream = await upstreamOf(path);
    assert.doesNotMatch(await upstream.receives("\r\n\r\nhi"), /^expect:/im);
    upstream.clear().write(`HTTP/1.1 100 Continue\r\n\r\n${ok("done")}`);
    assert.doesNotMatch(await peer.receives("done"), /100 Continue/);
  });

  test("passes trailers both ways", async () => {
    const {
      seen,
      upstream,
      client: peer,
    } = await exchange(
      (path) =>
        `POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\nContent-Length: 4\r\n\r\n`,
      "",
    );
    assert.match(seen, /\r\ntransfer-encoding: chunked\r\n[^]*\r\n3\r\nabc\r\n0\r\nX-Sum: 9\r\n\r\n$/);
    upstream.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Grpc-Status\r\n\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n");
    assert.match(await peer.receives("0\r\nGrpc-Status: 0\r\n\r\n"), /\r\n2\r\nok\r\n0\r\nGrpc-Status: 0\r\n\r\n$/);
  });

  test("passes early hints at once, but not to HTTP/1.0", async () => {
    const { client: peer, upstream } = await exchange(
      (path) => get(path),
      "HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\nX-Mesh-Error: forged\r\n\r\n",
    );
    const hint = await peer.receives("\r\n\r\n");
    assert.equal(hint, "HTTP/1.1 103 Early Hints\r\nLink: </s.css>\r\n\r\n");
    upstream.write(ok("now"));
    await peer.receives("now");
    const old = await exchange(
      (path) => `GET ${path} HTTP/1.0\r\nHost: a\r\n\r\n`,
      `HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n${ok("plain")}`,
    );
    assert.match(await old.client.receives("plain"), /^HTTP\/1\.1 200/);
  });

  test("closes after an HTTP/1.0 response, unless asked to keep the connection and it has a length", async () => {
    const once = await exchange((path) => `GET ${path} HTTP/1.0\r\nHost: a\r\n\r\n`, ok("bye"));
    assert.match(await once.client.untilEnd(), /\r\nconnection: close\r\n[^]*bye$/);
    const kept = await exchange((path) => `GET ${path} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`, ok("kept"));
    assert.match(await kept.client.receives("kept"), /\r\nconnection: keep-alive\r\n/);
    const chunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n2\r\ncd\r\n0\r\nX-T: 1\r\n\r\n";
    const last = await exchange((path) => `GET ${path} HTTP/1.0\r\nHost: a\r\nConnection: keep-alive\r\n\r\n`, chunks, kept.client.clear());
    const got = await last.client.untilEnd();
    assert.match(got, /\r\nconnection: close\r\n\r\nabcd$/);
    assert.doesNotMatch(got, /transfer-encoding|X-T/i);
  });

  test("turns a body that ends with the connection into chunks", async () => {
    const { client: peer, upstream } = await exchange((path) => get(path), "HTTP/1.1 200 OK\r\n\r\nsome");
    await peer.receives("some");
    upstream.end(" more");
    const got = await peer.receives("0\r\n\r\n");
    assert.match(got, /\r\ntransfer-encoding: chunked\r\n/);
    assert.ok(got.endsWith("\r\n\r\n4\r\nsome\r\n5\r\n more\r\n0\r\n\r\n"), got);
  });

  test("delivers an answer that comes before the request's body was read, and says that the connection ends with it", async () => {
    const { client: peer, upstream } = await exchange(
      (path) => `POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nbegin`,
      "HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig",
    );
    assert.match(await peer.receives("big"), /^HTTP\/1\.1 413 [^]*\r\nconnection: close\r\n/);
    await upstream.until((each) => each.ended || each.closed, "end of the upstream connection");
    await peer.untilEnd();
  });

  test("never lets a header of the upstream become two", async () => {
    const { client: peer } = await exchange((path) => get(path), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a\rSet-Cookie: b\r\n\r\nhi");
    const got = await peer.receives("\r\n\r\n");
    assert.match(got, /^HTTP\/1\.1 502 /);
    assert.doesNotMatch(got, /set-cookie/i);
    assert.match(got, /x-mesh-error: UPE; by=server; detail="invalid header value"/);
  });

  test("keeps a response framed when the upstream names its own framing as hop-by-hop", async () => {
    const { client: peer } = await exchange(
      (path) => get(path),
      "HTTP/1.1 200 OK\r\nConnection: content-length\r\nContent-Length: 2\r\n\r\nhi",
    );
    assert.match(await peer.receives("hi"), /\r\ncontent-length: 2\r\n/i);
  });

  test("removes x-mesh-error of an application", async () => {
    const { client: peer } = await exchange((path) => get(path), ok("hi", 'X-Mesh-Error: UF; by=network; detail="no"\r\n'));
    assert.doesNotMatch(await peer.receives("hi"), /x-mesh-error/i);
  });

  test("sends the target's host upstream for an absolute target, not a differing Host", async () => {
    const { seen, client: peer } = await exchange((path) => `GET http://real.test${path} HTTP/1.1\r\nHost: forged.test\r\n\r\n`, ok("x"));
    await peer.receives("x");
    assert.match(seen, /^GET http:\/\/real\.test\/r\d+\. HTTP\/1\.1\r\n/);
    assert.match(seen, /\r\nHost: real\.test\r\n/i);
    assert.doesNotMatch(seen, /forged/);
  });

  test("answers a body that breaks its chunks with 400, once, and gives the upstream no whole request", async () => {
    const path = freshPath();
    const peer = await client();
    peer.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n`);
    const upstream = await upstreamOf(path);
    await upstream.receives("hello");
    peer.write("XX\r\n");
    const got = await peer.untilEnd();
    assert.equal(got.match(/HTTP\/1\.1/g)?.length, 1);
    assert.match(got, /^HTTP\/1\.1 400 Bad Request\r\n[^]*x-mesh-error: DPE; by=client; detail="invalid chunk size"/);
    await upstream.until((each) => each.closed || each.ended, "close");
    assert.doesNotMatch(upstream.text, /\r\n0\r\n\r\n/);
  });
});

describe("a connection that breaks", () => {
  test("idle just as a request is sent: GET goes out again, POST is answered 503 UC", async () => {
    const one = await exchange((path) => get(path), ok("warm"));
    await one.client.receives("warm");
    // The upstream reads the next request on its kept connection and closes without a word.
    const path = freshPath();
    one.client.clear().write(get(path));
    await one.upstream.receives(path);
    one.upstream.clear().end();
    one.upstream.destroy();
    const again = await upstreamOf(path);
    assert.notEqual(again, one.upstream);
    again.clear().write(ok("second"));
    await one.client.receives("second");

    const post = freshPath();
    one.client.clear().write(`POST ${post} HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi`);
    const target = await upstreamOf(post);
    await target.receives("hi");
    const before = server.peers.length;
    target.destroy();
    const got = await one.client.receives("\r\n\r\n");
    assert.match(got, /^HTTP\/1\.1 503 [^]*x-mesh-error: U[CR]; by=server; detail="127\.0\.0\.1:\d+/);
    assert.equal(server.peers.length, before, "the POST was sent again");
  });

  test("on a fresh connection is not tried again", async () => {
    const peers = server.peers.filter((each) => !each.closed && !each.ended);
    for (const each of peers) each.destroy();
    await eventually(() => assert.equal(proxy.stat("cluster.up.upstream_cx_active"), 0), { withinMs: 3000 });
    const path = freshPath();
    const peer = await client();
    peer.write(get(path));
    const upstream = await upstreamOf(path);
    const before = server.peers.length;
    upstream.end();
    assert.match(await peer.receives("\r\n\r\n"), /^HTTP\/1\.1 503 /);
    assert.equal(server.peers.length, before);
  });

  for (const [name, head] of [
    ["content-length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart"],
    ["chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n"],
  ] as const) {
    test(`mid-body with ${name}: the client sees a broken response, not a whole one`, async () => {
      const { client: peer, upstream } = await exchange((path) => get(path), head);
      await peer.receives("part");
      upstream.destroy();
      await peer.until((each) => each.closed || each.ended, "close");
      assert.doesNotMatch(peer.text, /\r\n0\r\n\r\n/);
      assert.equal(peer.error?.code, "ECONNRESET");
    });
  }

  test("at the client mid-request or mid-response cancels the upstream's", async () => {
    const sending = await client();
    const path = freshPath();
    sending.write(`POST ${path} HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf`);
    const one = await upstreamOf(path);
    await one.receives("half");
    sending.destroy();
    await one.until((each) => each.closed || each.ended, "close");

    const two = await exchange((each) => get(each), "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
    await two.client.receives("part");
    two.client.reset();
    await two.upstream.until((each) => each.closed || each.ended, "close");
    await eventually(() => assert.equal(proxy.stat("cluster.up.upstream_rq_active"), 0), { withinMs: 3000 });
    assert.equal(proxy.stat("http.test.downstream_rq_active"), 0);
  });
});
