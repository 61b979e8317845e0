// Routes, retries, limits and the proxy's own answers: what the client gets, what the upstream sees, and what is counted
// and logged.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../../support/eventually.ts";
import {
  accessLog,
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

const folder = mkdtempSync(join(tmpdir(), "meshctl-routing-"));
const logFile = join(folder, "access.log");
let one: RawServer;
let two: RawServer;
let silent: RawServer;
let failing: RawServer;
let deadPort: number;
let failures = 0;
let proxy: TestPlane;

const at = (prefix: string, clusterName: string, action: Json = {}, more: Json = {}): Json => ({
  match: { prefix },
  route: { cluster: clusterName, ...action },
  ...more,
});
const add = (key: string, value: string, action = "APPEND_IF_EXISTS_OR_ADD"): Json => ({ header: { key, value }, append_action: action });

function routes(): Json[] {
  const again = (retry: Json): Json => ({ retry_policy: { retry_back_off: { base_interval: "0.001s" }, ...retry } });
  return [
    at("/slow", "silent", { timeout: "0.1s" }),
    at("/per-try", "silent", { timeout: "2s", retry_policy: { retry_on: "5xx", num_retries: 1, per_try_timeout: "0.1s" } }),
    at(
      "/dead/retried",
      "half-dead",
      again({
        retry_on: "connect-failure",
        num_retries: 3,
        retry_host_predicate: [
          {
            name: "envoy.retry_host_predicates.previous_hosts",
            typed_config: { "@type": "type.googleapis.com/envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate" },
          },
        ],
        host_selection_retry_max_attempts: "5",
      }),
    ),
    at("/dead", "dead"),
    at("/flaky", "failing", again({ retry_on: "5xx", num_retries: 2 })),
    at("/nowhere", "unknown"),
    at("/unhealthy", "unhealthy"),
    at("/limited", "limited"),
    {
      match: { prefix: "/split" },
      route: {
        weighted_clusters: {
          clusters: [
            { name: "one", weight: 90 },
            { name: "two", weight: 10 },
          ],
        },
      },
    },
    at("/rewrite/", "one", { prefix_rewrite: "/new/", host_rewrite_literal: "inner.test" }),
    {
      match: { prefix: "/old" },
      redirect: { path_redirect: "/new", response_code: "PERMANENT_REDIRECT", https_redirect: true, strip_query: true },
    },
    { match: { prefix: "/moved/" }, redirect: { prefix_rewrite: "/there/", host_redirect: "else.test" } },
    {
      match: { path: "/direct" },
      direct_response: { status: 418, body: { inline_string: "teapot" } },
      response_headers_to_add: [add("x-direct", "yes")],
    },
    at(
      "/edit",
      "one",
      {},
      {
        request_headers_to_add: [
          add("x-added", "from route"),
          add("x-client", "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"),
          add("x-set", "new", "OVERWRITE_IF_EXISTS_OR_ADD"),
          add("x-once", "no", "ADD_IF_ABSENT"),
        ],
        request_headers_to_remove: ["x-gone", "content-length"],
        response_headers_to_add: [add("x-more", "2"), add("set-cookie", "ours")],
        response_headers_to_remove: ["x-inner", "content-length"],
      },
    ),
    at("/count", "half-dead", again({ retry_on: "connect-failure", num_retries: 5 })),
    { match: { prefix: "/header", headers: [{ name: "x-version", string_match: { exact: "2" } }] }, route: { cluster: "two" } },
    { match: { safe_regex: { regex: "/v[0-9]+/x" } }, route: { cluster: "two" } },
    at("/header", "one"),
    toCluster("one", {}, { match: { prefix: "/one" } }),
  ];
}

before(async () => {
  one = await startHttpPeer((request) => ok(`one ${request}`, "X-Inner: 1\r\nSet-Cookie: theirs\r\n"));
  two = await startHttpPeer((request) => ok(`two ${request}`));
  silent = await startRawServer();
  failing = await startHttpPeer(() => ((failures += 1) % 3 === 0 ? ok("at last") : "HTTP/1.1 503 No\r\nContent-Length: 2\r\n\r\nno"));
  const gone = await startRawServer();
  deadPort = gone.port;
  await gone.stop();
  const unhealthy = cluster("unhealthy", [1], {
    load_assignment: {
      cluster_name: "unhealthy",
      endpoints: [
        {
          lb_endpoints: [
            { health_status: "UNHEALTHY", endpoint: { address: { socket_address: { address: "127.0.0.1", port_value: one.port } } } },
          ],
        },
      ],
    },
    common_lb_config: { healthy_panic_threshold: { value: 0 } },
  });
  const host = (name: string, routesOf: Json[], more: Json = {}): Json => ({ name, domains: [name], routes: routesOf, ...more });
  proxy = await startPlane(
    staticResources(
      [
        listener([
          {
            filters: [
              httpFilter(
                [],
                { use_remote_address: true, ...accessLog(logFile) },
                {
                  virtual_hosts: [host("a.test", routes(), { include_request_attempt_count: true }), host("b.test", [toCluster("two")])],
                },
              ),
            ],
          },
        ]),
      ],
      [
        cluster("one", [one.port]),
        cluster("two", [two.port]),
        cluster("silent", [silent.port]),
        cluster("dead", [deadPort]),
        cluster("unknown", [deadPort]),
        cluster("half-dead", [deadPort, two.port]),
        cluster("failing", [failing.port]),
        cluster("limited", [silent.port], { circuit_breakers: { thresholds: [{ max_requests: 1 }] } }),
        unhealthy,
      ],
    ),
  );
  // A bootstrap may not name a cluster that is not there; xDS may, for a moment.
  const { config, plane } = proxy;
  await plane.apply({ ...config, clusters: new Map([...config.clusters].filter(([name]) => name !== "unknown")) });
});
after(async () => {
  rmSync(folder, { recursive: true });
  await Promise.all([one, two, silent, failing].map((each) => each.stop()));
  await proxy.stop();
});

interface Answer {
  readonly status: number;
  /** Head as it was on the wire. */
  readonly head: string;
  readonly body: string;
}

async function ask(
  path: string,
  { method = "GET", host = "a.test", headers = "", body = "", on = undefined as RawPeer | undefined } = {},
): Promise<Answer> {
  const client = on ?? (await connectRaw(proxy.port()));
  client
    .clear()
    .write(
      `${method} ${path} HTTP/1.1\r\nHost: ${host}\r\n${headers}${body === "" ? "" : `Content-Length: ${body.length}\r\n`}\r\n${body}`,
    );
  await client.receives("\r\n\r\n");
  const end = client.text.indexOf("\r\n\r\n");
  const head = client.text.slice(0, end + 2);
  const length = method === "HEAD" ? 0 : Number(/^content-length: (\d+)/im.exec(head)?.[1] ?? 0);
  await client.until((peer) => peer.text.length >= end + 4 + length, "body");
  const answer = { status: Number(head.slice(9, 12)), head, body: client.text.slice(end + 4) };
  if (on === undefined) client.destroy();
  return answer;
}

describe("a request goes", () => {
  test("by virtual host, header, pattern and prefix", async () => {
    assert.match((await ask("/one")).body, /^one /);
    assert.match((await ask("/x", { host: "b.test" })).body, /^two /);
    assert.match((await ask("/header")).body, /^one /);
    assert.match((await ask("/header", { headers: "X-Version: 2\r\n" })).body, /^two /);
    assert.match((await ask("/v12/x?y")).body, /^two /);
    assert.equal((await ask("/v12/xx")).status, 404);
  });

  test("by weight", async () => {
    const client = await connectRaw(proxy.port());
    let first = 0;
    for (let count = 0; count < 400; count += 1) if ((await ask("/split", { on: client })).body.startsWith("one")) first += 1;
    client.destroy();
    // 90 %, five standard deviations either way.
    assert.ok(first > 330 && first < 390, `${first} of 400 went to the cluster of weight 90`);
  });

  test("with its path and host rewritten", async () => {
    const { body } = await ask("/rewrite/a?b=/rewrite/");
    assert.match(body, /^one GET \/new\/a\?b=\/rewrite\/ HTTP\/1\.1\r\n/);
    assert.match(body, /\r\nHost: inner\.test\r\n/);
    assert.doesNotMatch(body.replace("x-envoy-original-host: a.test", ""), /a\.test/);
    assert.match(body, /x-envoy-original-host: a\.test/);
    assert.match(body, /\r\nx-envoy-original-path: \/rewrite\/a\?b=\/rewrite\/\r\n/);
  });

  test("with its headers edited, and still framed when an edit takes its length away", async () => {
    const { body, head } = await ask("/edit", { method: "POST", headers: "X-Set: old\r\nX-Gone: 1\r\nX-Once: yes\r\n", body: "hello" });
    assert.match(body, /\r\nx-added: from route\r\n/);
    assert.match(body, /\r\nx-client: 127\.0\.0\.1\r\n/);
    assert.match(body, /\r\nX-Set: new\r\n/i);
    assert.match(body, /\r\nX-Once: yes\r\n/);
    assert.doesNotMatch(body, /x-gone|x-once: no/i);
    assert.match(body, /\r\ncontent-length: 5\r\n(?:[^\r]+\r\n)*\r\nhello$/i);
    assert.match(head, /\r\nx-more: 2\r\n/);
    assert.match(head, /\r\nSet-Cookie: theirs\r\n[^]*set-cookie: ours\r\n/);
    assert.doesNotMatch(head, /x-inner/i);
    assert.match(head, /\r\ncontent-length: \d+\r\n/i);
  });

  test("nowhere when the route answers itself", async () => {
    const direct = await ask("/direct");
    assert.deepEqual([direct.status, direct.body], [418, "teapot"]);
    assert.match(direct.head, /\r\nx-direct: yes\r\n/);
    assert.equal((await ask("/direct", { method: "HEAD" })).status, 418);
    const old = await ask("/old?x=1");
    assert.equal(old.status, 308);
    assert.match(old.head, /\r\nlocation: https:\/\/a\.test\/new\r\n/);
    assert.match((await ask("/moved/a?b", { host: "a.test" })).head, /^HTTP\/1\.1 301 [^]*location: http:\/\/else\.test\/there\/a\?b\r\n/);
  });
});

const meshError = ({ head }: Answer): string => /^x-mesh-error: (.*)\r$/m.exec(head)?.[1] ?? "";

describe("a request fails", () => {
  test("with 404 NR where no route is", async () => {
    const answer = await ask("/no/route");
    assert.deepEqual([answer.status, answer.body], [404, ""]);
    assert.match(meshError(answer), /^NR; by=control-plane; detail="no route for a\.test"$/);
    assert.match(meshError(await ask("/", { host: "unknown.test" })), /^NR; /);
    assert.equal(proxy.stat("http.test.no_route") >= 2, true);
  });

  test("with 503 NC where the cluster is unknown", async () => {
    const answer = await ask("/nowhere");
    assert.equal(answer.status, 503);
    assert.match(meshError(answer), /^NC; by=control-plane; detail="cluster unknown is unknown"$/);
  });

  test("with 503 UH where no host is healthy", async () => {
    const answer = await ask("/unhealthy");
    assert.deepEqual([answer.status, answer.body], [503, "no healthy upstream"]);
    assert.match(meshError(answer), /^UH; /);
  });

  test("with 503 UF where nobody listens", async () => {
    const answer = await ask("/dead", { method: "POST", body: "x" });
    assert.equal(answer.status, 503);
    assert.match(meshError(answer), new RegExp(`^UF; by=server; detail="127\\.0\\.0\\.1:${deadPort}: ECONNREFUSED"$`));
    assert.match(answer.body, /^upstream connect error or disconnect\/reset before headers\. reset reason: remote connection failure/);
  });

  test("with 504 UT when the upstream takes too long, counted from the end of the request", async () => {
    const started = performance.now();
    const answer = await ask("/slow");
    const took = performance.now() - started;
    assert.deepEqual([answer.status, answer.body], [504, "upstream request timeout"]);
    assert.ok(took >= 99 && took < 1000, `took ${took} ms`);
    assert.match(meshError(answer), /^UT; by=server; /);
    assert.equal(proxy.stat("cluster.silent.upstream_rq_timeout"), 1);
    await eventually(() => assert.equal(proxy.stat("cluster.silent.upstream_rq_active"), 0), { withinMs: 1000 });
  });

  test("with 504 after each try has had its time", async () => {
    const started = performance.now();
    assert.equal((await ask("/per-try")).status, 504);
    assert.ok(performance.now() - started >= 199);
    assert.equal(proxy.stat("cluster.silent.upstream_rq_per_try_timeout"), 2);
  });

  test("with 503 UO beyond the cluster's limit, and the limit is free again afterwards", async () => {
    const first = await connectRaw(proxy.port());
    first.write("GET /limited HTTP/1.1\r\nHost: a.test\r\n\r\n");
    await eventually(() => assert.equal(proxy.stat("cluster.limited.upstream_rq_active"), 1), { withinMs: 2000 });
    const answer = await ask("/limited");
    assert.equal(answer.status, 503);
    assert.match(answer.head, /\r\nx-envoy-overloaded: true\r\n/);
    assert.match(meshError(answer), /^UO; by=policy; /);
    first.reset();
    await eventually(() => assert.equal(proxy.stat("cluster.limited.upstream_rq_active"), 0), { withinMs: 2000 });
    const next = await connectRaw(proxy.port());
    next.write("GET /limited HTTP/1.1\r\nHost: a.test\r\n\r\n");
    await eventually(() => assert.equal(proxy.stat("cluster.limited.upstream_rq_active"), 1), { withinMs: 2000 });
    next.reset();
  });

  test("as gRPC with status 200 and a grpc-status", async () => {
    const answer = await ask("/no/route", { method: "POST", headers: "Content-Type: application/grpc+proto\r\n" });
    assert.equal(answer.status, 200);
    assert.match(answer.head, /\r\ncontent-type: application\/grpc\r\ngrpc-status: 12\r\ngrpc-message: [^\r]+\r\n/);
    assert.match(meshError(answer), /^NR; /);
    const dead = await ask("/dead", { method: "POST", headers: "Content-Type: application/grpc\r\n" });
    assert.match(dead.head, /\r\ngrpc-status: 14\r\n/);
  });

  test("once per request: a reply to a request with a body unread says that the connection ends", async () => {
    const client = await connectRaw(proxy.port());
    client.write("POST /no/route HTTP/1.1\r\nHost: a.test\r\nContent-Length: 10\r\n\r\nhalf");
    assert.match(await client.untilEnd(), /^HTTP\/1\.1 404 [^]*\r\nconnection: close\r\n/);
  });
});

describe("a failed attempt", () => {
  test("goes to another host when the first can't be reached", async () => {
    for (let count = 0; count < 8; count += 1) {
      const { body, status } = await ask("/dead/retried", { method: "POST", body: "replayed" });
      assert.equal(status, 200);
      assert.match(body, /^two POST [^]*\r\n\r\nreplayed$/);
    }
    assert.ok(proxy.stat("cluster.half-dead.upstream_rq_retry") > 0);
    assert.equal(proxy.stat("cluster.half-dead.upstream_rq_retry"), proxy.stat("cluster.half-dead.upstream_rq_retry_success"));
  });

  test("tells the upstream how many there were", async () => {
    const { body } = await ask("/one");
    assert.match(body, /\r\nx-envoy-attempt-count: 1\r\n/);
    const counts: string[] = [];
    for (let count = 0; count < 4; count += 1) counts.push(/x-envoy-attempt-count: (\d)\r/.exec((await ask("/count")).body)?.[1] ?? "none");
    // Hosts are taken in turn: after at most one request each begins with the dead one.
    assert.deepEqual(counts.slice(1), ["2", "2", "2"]);
  });

  test("by status is tried as often as allowed, and only the last answer is passed on", async () => {
    failures = 0;
    assert.equal((await ask("/flaky")).body, "at last");
    assert.equal(proxy.stat("cluster.failing.retry.upstream_rq_503"), 2);
    assert.equal(proxy.stat("cluster.failing.upstream_rq_503"), 0);
    failures = 3;
    const before = failures;
    assert.equal((await ask("/flaky", { method: "POST", body: "b" })).body, "at last");
    assert.equal(failures - before, 3);
  });

  test("does not lose request body that arrives during the back-off", async (context) => {
    const target = await startHttpPeer((request) =>
      request.includes("x-envoy-attempt-count: 2") ? ok(String(request.length)) : "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n",
    );
    const early = await startRawServer((peer, index) => {
      peer.socket.once("data", () => {
        if (index === 0) peer.write("HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n");
      });
    });
    const retry = { retry_policy: { retry_on: "5xx", num_retries: 1, retry_back_off: { base_interval: "0.2s", max_interval: "0.2s" } } };
    const plane = await startPlane(
      staticResources([listener([{ filters: [httpFilter([toCluster("up", retry)])] }])], [cluster("up", [early.port])]),
    );
    context.after(async () => {
      await plane.stop();
      await target.stop();
      await early.stop();
    });
    const body = "0123456789".repeat(20_000);
    const client = await connectRaw(plane.port());
    client.write(`POST / HTTP/1.1\r\nHost: a\r\nContent-Length: ${body.length}\r\n\r\n${body.slice(0, 10)}`);
    await eventually(() => assert.equal(plane.stat("cluster.up.upstream_rq_retry"), 1), { withinMs: 2000 });
    client.write(body.slice(10));
    const second = await early.peer(1);
    await second.until((peer) => peer.text.endsWith(body.slice(-1000)) && peer.text.length > body.length, "whole body");
    assert.equal(second.text.slice(second.text.indexOf("\r\n\r\n") + 4), body);
    second.write(ok("whole"));
    await client.receives("whole");
  });
});

describe("what is known afterwards", () => {
  test("stands in Envoy's counters", async () => {
    const names = [
      "http.test.downstream_rq_total",
      "http.test.downstream_rq_2xx",
      "http.test.downstream_rq_4xx",
      "cluster.one.upstream_rq_200",
      "cluster.one.upstream_rq_2xx",
    ];
    const before = names.map((name) => proxy.stat(name));
    await ask("/one");
    await ask("/one");
    await ask("/no/route");
    assert.deepEqual(
      names.map((name, index) => proxy.stat(name) - before[index]!),
      [3, 2, 1, 2, 2],
    );
    for (const gauge of ["http.test.downstream_rq_active", "cluster.one.upstream_rq_active", "cluster.one.upstream_rq_pending_active"])
      assert.equal(proxy.stat(gauge), 0, gauge);
    await eventually(() => assert.equal(proxy.stat("http.test.downstream_cx_active"), 0), { withinMs: 2000 });
    assert.equal(proxy.stat("http.test.downstream_cx_total"), proxy.stat("http.test.downstream_cx_destroy"));
  });

  test("stands in Envoy's default access log, one line for each request", async () => {
    const line = (path: string): Promise<string> =>
      eventually(
        () => {
          const lines = readFileSync(logFile, "utf8")
            .split("\n")
            .filter((each) => each.includes(`${path} `));
          assert.equal(lines.length, 1, lines.join("\n"));
          return lines[0]!;
        },
        { withinMs: 3000 },
      );
    await ask("/one/logged?q=1", {
      method: "POST",
      headers: "User-Agent: tester\r\nX-Request-Id: mine\r\nX-Forwarded-For: 192.0.2.1\r\n",
      body: "12345",
    });
    assert.match(
      await line("/one/logged?q=1"),
      new RegExp(
        `^\\[\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d\\.\\d{3}Z\\] "POST /one/logged\\?q=1 HTTP/1\\.1" 200 - 5 \\d+ \\d+ \\d+ "192\\.0\\.2\\.1,[0-9.]+" "tester" "[0-9a-f-]{36}" "a\\.test" "127\\.0\\.0\\.1:${one.port}"$`,
      ),
    );
    await ask("/no/logged");
    assert.match(await line("/no/logged"), /"GET \/no\/logged HTTP\/1\.1" 404 NR 0 0 \d+ - "[0-9.]+" "-" "[^"]+" "a\.test" "-"$/);

    const client = await connectRaw(proxy.port());
    client.write("GET /limited/gone HTTP/1.1\r\nHost: a.test\r\n\r\n");
    await eventually(() => assert.equal(proxy.stat("cluster.limited.upstream_rq_active"), 1), { withinMs: 2000 });
    client.reset();
    assert.match(await line("/limited/gone"), /" 0 DC 0 0 \d+ - /);

    const broken = await connectRaw(proxy.port());
    broken.write("POST /one/broken HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n");
    await broken.untilEnd();
    assert.match(await line("/one/broken"), /" 400 DPE 0 11 \d+ - /);
  });
});
