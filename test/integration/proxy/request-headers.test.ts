// What the proxy adds to requests and responses, its own replies included, and what it makes of paths with escaped slashes.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { Lab, type LabOptions } from "../../support/failures/lab.ts";
import type { Json } from "../../support/proxy-plane.ts";
import { ok, startHttpPeer } from "../../support/raw-peer.ts";

const add = (key: string, value: string): Json => ({ header: { key, value } });
const get = (path: string, ...headers: readonly string[]): string =>
  `GET ${path} HTTP/1.1\r\nHost: a.test\r\n${headers.map((each) => `${each}\r\n`).join("")}\r\n`;

/** A proxy in front of a server that answers with the request that it saw. */
async function echo(context: TestContext, options: LabOptions): Promise<Lab> {
  const server = await startHttpPeer((request) => ok(request, "Via: 1.0 inner\r\n"));
  context.after(() => server.stop());
  const lab = new Lab(context);
  await lab.start({ port: server.port, ...options });
  return lab;
}

async function ask(lab: Lab, request: string): Promise<{ head: string; body: string }> {
  const client = (await lab.client()).write(request);
  await client.receives("\r\n\r\n");
  const end = client.text.indexOf("\r\n\r\n") + 4;
  const length = Number(/^content-length: (\d+)/im.exec(client.text.slice(0, end))?.[1] ?? 0);
  await client.until((peer) => peer.text.length >= end + length, "the body");
  return { head: client.text.slice(0, end), body: client.text.slice(end) };
}

test("both directions name the proxy in via, after who was there before", async (context) => {
  const lab = await echo(context, { manager: { via: "1.1 mesh" } });
  const { head, body } = await ask(lab, get("/", "Via: 2 outer"));
  assert.match(body, /\r\nVia: 2 outer, 1\.1 mesh\r\n/i);
  assert.match(head, /\r\nVia: 1\.0 inner, 1\.1 mesh\r\n/i);
});

test("the response has the request's id where that is asked for", async (context) => {
  const lab = await echo(context, { manager: { always_set_request_id_in_response: true } });
  const { head, body } = await ask(lab, get("/"));
  const id = /\r\nx-request-id: (.*)\r\n/.exec(body)![1]!;
  assert.ok(head.includes(`\r\nx-request-id: ${id}\r\n`), head);
});

test("a rewritten host is remembered for the host that gets it", async (context) => {
  const lab = await echo(context, { action: { host_rewrite_literal: "inner.test", append_x_forwarded_host: true } });
  const { body } = await ask(lab, get("/", "X-Forwarded-Host: outer.test"));
  assert.match(body, /\r\nHost: inner\.test\r\n/i);
  assert.match(body, /\r\nx-forwarded-host: outer\.test,a\.test\r\n/i);
  assert.match(body, /\r\nx-envoy-original-host: a\.test\r\n/);
});

test("without Envoy's headers nothing of the router's own is added", async (context) => {
  const typed_config = { "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router", suppress_envoy_headers: true };
  const lab = await echo(context, {
    manager: { http_filters: [{ name: "envoy.filters.http.router", typed_config }] },
    action: { prefix_rewrite: "/new", host_rewrite_literal: "inner.test" },
  });
  const { head, body } = await ask(lab, get("/"));
  assert.doesNotMatch(head + body, /x-envoy/);
});

test("a reply of the proxy's own looks like any other response of the route", async (context) => {
  const lab = await echo(context, {
    manager: { via: "1.1 mesh", server_name: "gate", always_set_request_id_in_response: true },
    cluster: { load_assignment: { cluster_name: "up" } },
    route: { response_headers_to_add: [add("strict-transport-security", "max-age=1"), add("x-protocol", "%PROTOCOL%")] },
  });
  const { head } = await ask(lab, get("/", "X-Request-Id: mine"));
  assert.match(head, /^HTTP\/1\.1 503 /);
  for (const line of [
    "server: gate",
    "via: 1.1 mesh",
    "x-request-id: mine",
    "strict-transport-security: max-age=1",
    "x-protocol: HTTP/1.1",
  ])
    assert.ok(head.includes(`\r\n${line}\r\n`), `${line} in ${head}`);
  assert.match(head, /\r\ndate: /);
});

test("what is said of the client is said of the one that other proxies have seen", async (context) => {
  const value = "%DOWNSTREAM_REMOTE_ADDRESS% %DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT%";
  const lab = await echo(context, { route: { request_headers_to_add: [add("x-seen", value)] } });
  const { body } = await ask(lab, get("/", "X-Forwarded-For: 10.0.0.1, 1.2.3.4"));
  assert.match(body, /\r\nx-seen: 1\.2\.3\.4:0 127\.0\.0\.1\r\n/);
});

test("a client is sent to the path without escaped slashes, gRPC is refused", async (context) => {
  const lab = await echo(context, { manager: { path_with_escaped_slashes_action: "UNESCAPE_AND_REDIRECT", normalize_path: true } });
  const { head } = await ask(lab, get("/a%2Fb/..%2fc?d=%2F"));
  assert.match(head, /^HTTP\/1\.1 307 [^]*\r\nlocation: \/a\/c\?d=%2F\r\n/);
  assert.doesNotMatch(head, /x-mesh-error/);
  lab.expect("http.test.downstream_rq_redirected_with_normalized_path", 1);
  const grpc = await ask(lab, get("/a%2Fb", "Content-Type: application/grpc"));
  assert.match(grpc.head, /^HTTP\/1\.1 200 [^]*\r\ngrpc-status: 13\r\n/);
  lab.expect("http.test.downstream_rq_failed_path_normalization", 1);
});
