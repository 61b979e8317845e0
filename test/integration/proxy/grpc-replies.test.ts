// What a gRPC call gets from the proxy itself, whatever the HTTP version: statuses, deadlines, and ends of broken calls.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { cluster, httpFilter, listener, startPlane, staticResources, type Json, type TestPlane } from "../../support/proxy-plane.ts";
import { connectRaw, startHttpPeer, startRawServer, type RawServer } from "../../support/raw-peer.ts";

let servers: RawServer[];
let proxy: TestPlane;
/** Heads that the upstream has seen. */
const seen: string[] = [];

const route = (path: string, action: Json): Json => ({ match: { path }, route: { cluster: "up", timeout: "0s", ...action } });

before(async () => {
  const server = await startHttpPeer((request) => {
    seen.push(request);
    const path = /^POST (\S+)/.exec(request)![1]!;
    if (path === "/html") return "HTTP/1.1 503 Service Unavailable\r\ncontent-type: text/html\r\ncontent-length: 4\r\n\r\n<p/>";
    return path === "/ok" || path === "/longest"
      ? "HTTP/1.1 200 OK\r\ncontent-type: application/grpc\r\ngrpc-status: 0\r\ncontent-length: 0\r\n\r\n"
      : "";
  });
  // Begins a message and then breaks off, or never goes on.
  const breaking = await startRawServer((peer) => {
    const head = "HTTP/1.1 200 OK\r\ncontent-type: application/grpc+proto\r\nx-mesh-error: forged\r\n";
    peer.socket.once("data", (chunk: Buffer) => {
      if (chunk.includes("/announced")) peer.write(`${head}content-length: 100\r\n\r\nab`);
      else peer.write(`${head}transfer-encoding: chunked\r\n\r\n6\r\n\0\0\0\0\x09a\r\n`);
      if (!chunk.includes("/stuck")) peer.end();
    });
  });
  servers = [server, breaking];
  const perTry = { retry_policy: { retry_on: "5xx", num_retries: 1, per_try_timeout: "0.3s" } };
  const routes: Json[] = [
    route("/ok", { max_grpc_timeout: "0s" }),
    route("/html", {}),
    route("/slow", { max_grpc_timeout: "0s" }),
    route("/capped", { max_grpc_timeout: "0.12s" }),
    route("/earlier", { max_grpc_timeout: "0s", grpc_timeout_offset: "0.4s" }),
    route("/duration", { max_stream_duration: { grpc_timeout_header_max: "0.13s" } }),
    route("/duration-at-once", { max_stream_duration: { grpc_timeout_header_max: "0s", grpc_timeout_header_offset: "10s" } }),
    route("/longest", { max_stream_duration: { max_stream_duration: "5s" } }),
    route("/timeout", { timeout: "0.11s" }),
    route("/tries", { max_grpc_timeout: "0s", ...perTry }),
    { match: { prefix: "/broken" }, route: { cluster: "breaking", timeout: "0s", max_grpc_timeout: "0s" } },
    { match: { path: "/direct" }, direct_response: { status: 403, body: { inline_string: "grün % 🚦" } } },
    {
      match: { path: "/own-status" },
      direct_response: { status: 200 },
      response_headers_to_add: [{ header: { key: "grpc-status", value: "0" }, append_action: "OVERWRITE_IF_EXISTS_OR_ADD" }],
    },
    { match: { path: "/moved" }, redirect: { path_redirect: "/there" } },
  ];
  const clusters = [cluster("up", [server.port]), cluster("breaking", [breaking.port])];
  proxy = await startPlane(staticResources([listener([{ filters: [httpFilter(routes)] }])], clusters));
});
after(async () => {
  await proxy.stop();
  for (const each of servers) await each.stop();
});

/** The whole answer to a call without messages. */
async function call(path: string, headers = "", type = "application/grpc"): Promise<string> {
  const peer = await connectRaw(proxy.port());
  peer.write(
    `POST ${path} HTTP/1.1\r\nHost: a\r\nte: trailers\r\ncontent-type: ${type}\r\n${headers}content-length: 0\r\nConnection: close\r\n\r\n`,
  );
  const text = await peer.untilEnd();
  peer.destroy();
  return text;
}

function header(text: string, name: string): string | undefined {
  return new RegExp(`^${name}: (.*)\r$`, "im").exec(text)?.[1];
}

/** `grpc-timeout` as the upstream saw it in the newest request for the path. */
function forwarded(path: string): string | undefined {
  return header(
    seen.findLast((each) => each.startsWith(`POST ${path} `))!,
    "grpc-timeout",
  );
}

describe("a reply of our own to a gRPC call", () => {
  test("is 200 with grpc-status, grpc-message and x-mesh-error, and no body", async () => {
    for (const type of ["application/grpc", "application/grpc+proto", "application/grpc; charset=utf-8"]) {
      const text = await call("/nowhere", "", type);
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
      assert.deepEqual(
        ["content-type", "grpc-status", "grpc-message", "x-mesh-error", "content-length"].map((name) => header(text, name)),
        ["application/grpc", "12", "route_not_found", 'NR; by=control-plane; detail="no route for a"', "0"],
      );
    }
  });

  test("stays plain HTTP for gRPC-Web, which frames statuses otherwise", async () => {
    assert.match(await call("/nowhere", "", "application/grpc-web+proto"), /^HTTP\/1\.1 404 /);
  });

  test("stands for a direct response and a redirect, too", async () => {
    const direct = await call("/direct");
    assert.match(direct, /^HTTP\/1\.1 200 OK\r\n[^]*\r\n\r\n$/);
    assert.deepEqual([header(direct, "grpc-status"), header(direct, "grpc-message")], ["7", "gr%C3%BCn %25 %F0%9F%9A%A6"]);
    assert.equal(header(await call("/own-status"), "grpc-status"), "0");
    const moved = await call("/moved");
    assert.deepEqual([header(moved, "grpc-status"), header(moved, "location")], ["2", "http://a/there"]);
  });

  test("does not stand for an upstream's answer that is not gRPC", async () => {
    const text = await call("/html");
    assert.match(text, /^HTTP\/1\.1 503 Service Unavailable\r\n[^]*content-type: text\/html\r\n[^]*<p\/>$/);
    assert.equal(header(text, "grpc-status"), undefined);
  });
});

describe("the deadline of a gRPC call", () => {
  /** Milliseconds until DEADLINE_EXCEEDED. */
  async function timeOut(path: string, headers: string): Promise<{ ms: number; text: string }> {
    const start = performance.now();
    const text = await call(path, headers);
    assert.deepEqual([header(text, "grpc-status"), header(text, "grpc-message")], ["4", "upstream request timeout"]);
    return { ms: performance.now() - start, text };
  }

  test("ends it with DEADLINE_EXCEEDED, and says that the server was too slow", async () => {
    const { ms, text } = await timeOut("/slow", "grpc-timeout: 100m\r\n");
    assert.ok(ms >= 100, `${ms} ms`);
    assert.equal(header(text, "x-mesh-error"), `UT; by=server; detail="the call's deadline of 100 ms has passed"`);
    assert.equal(forwarded("/slow"), "100m");
  });

  test("counts up to the route's most, which holds for calls without one and with a malformed one, too", async () => {
    for (const headers of ["grpc-timeout: 5S\r\n", "", "grpc-timeout: 5s\r\n", "grpc-timeout: 123456789m\r\n"]) {
      const { ms } = await timeOut("/capped", headers);
      assert.ok(ms >= 120 && ms < 3000, `${ms} ms with ${headers}`);
      assert.equal(forwarded("/capped"), "120m", headers);
    }
  });

  test("comes earlier by the route's offset, unless that leaves nothing", async () => {
    await timeOut("/earlier", "grpc-timeout: 500m\r\n");
    assert.equal(forwarded("/earlier"), "100m");
    await timeOut("/earlier", "grpc-timeout: 90m\r\n");
    assert.equal(forwarded("/earlier"), "90m");
  });

  test("bounds the stream's duration where the route says it that way", async () => {
    await timeOut("/duration", "grpc-timeout: 1H\r\n");
    assert.equal(forwarded("/duration"), "130m");
    await timeOut("/duration-at-once", "grpc-timeout: 9S\r\n");
    // A limit of the route's own tells the upstream of itself, where the client would wait longer.
    await call("/longest", "grpc-timeout: 9S\r\n");
    assert.equal(forwarded("/longest"), "5000m");
    await call("/longest", "grpc-timeout: 3S\r\n");
    assert.equal(forwarded("/longest"), "3S");
  });

  test("is no business of a route that does not ask for it", async () => {
    const { text } = await timeOut("/timeout", "grpc-timeout: 20m\r\n");
    assert.equal(header(text, "x-mesh-error"), 'UT; by=server; detail="no response within 110 ms"');
    assert.equal(forwarded("/timeout"), "20m");
  });

  test("passes on in its own unit where it is what the upstream has", async () => {
    await call("/ok", "grpc-timeout: 5999999u\r\n");
    assert.equal(forwarded("/ok"), "5999999u");
    await call("/ok", "grpc-timeout: 7S\r\n");
    assert.equal(forwarded("/ok"), "7S");
    await call("/ok");
    assert.equal(forwarded("/ok"), undefined);
  });

  test("goes to the upstream no longer than a try may take, and shorter with each try", async () => {
    await timeOut("/tries", "grpc-timeout: 400m\r\n");
    const [first, second] = seen.filter((each) => each.startsWith("POST /tries ")).map((each) => header(each, "grpc-timeout"));
    assert.equal(first, "300m");
    assert.match(second!, /^\d+m$/);
    assert.ok(Number.parseInt(second!, 10) <= 100, `then ${second}`);
  });
});

describe("a gRPC response that breaks off", () => {
  test("ends in trailers that say why, and whose fault it was", async () => {
    const text = await call("/broken/off");
    assert.match(
      text,
      /^HTTP\/1\.1 200 OK\r\n[^]*6\r\n\0\0\0\0\x09a\r\n0\r\ngrpc-status: 14\r\ngrpc-message: [^\r]*\r\nx-mesh-error: UC; by=server; [^\r]*\r\n\r\n$/,
    );
    assert.doesNotMatch(text, /forged/);
  });

  test("ends so at the deadline, too", async () => {
    const text = await call("/broken/stuck", "grpc-timeout: 100m\r\n");
    assert.match(
      text,
      /0\r\ngrpc-status: 4\r\n[^]*x-mesh-error: UT; by=server; detail="the call's deadline of 100 ms has passed"\r\n\r\n$/,
    );
  });

  test("is cut where no trailers can follow", async () => {
    const text = await call("/broken/announced");
    assert.match(text, /content-length: 100\r\n[^]*\r\n\r\nab$/);
    await eventually(() => assert.ok(proxy.stat("http.test.downstream_rq_tx_reset") >= 1), { withinMs: 2000 });
  });
});
