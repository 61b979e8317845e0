// Requests that are tried more than once: what is sent again and to whom, how long that takes, and what is said of it.
import assert from "node:assert/strict";
import { createServer as createHttp2Server, constants, type ServerHttp2Stream } from "node:http2";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { eventually } from "../../support/eventually.ts";
import { Lab } from "../../support/failures/lab.ts";
import type { Json } from "../../support/proxy-plane.ts";
import { ok, startHttpPeer, type RawServer } from "../../support/raw-peer.ts";

const SOON: Json = { retry_back_off: { base_interval: "0.001s" } };
const failed = "HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n";
const head = (name: string, request: string): string | undefined => new RegExp(`^${name}: (.*)\r$`, "im").exec(request)?.[1];

/** A proxy in front of a server that answers so; the requests that the server has seen. */
async function start(
  context: TestContext,
  respond: (request: string, index: number) => string,
  options: { retry?: Json; action?: Json; host?: Json; cluster?: Json; route?: Json; listener?: Json } = {},
): Promise<{ lab: Lab; seen: string[]; server: RawServer }> {
  const seen: string[] = [];
  const server = await startHttpPeer((request, index) => {
    seen.push(request);
    return respond(request, index);
  });
  context.after(() => server.stop());
  const lab = new Lab(context);
  const { retry, action, cluster, route, listener, host } = options;
  await lab.start({
    port: server.port,
    action: { ...(retry === undefined ? {} : { retry_policy: { ...SOON, ...retry } }), ...action },
    ...(cluster === undefined ? {} : { cluster }),
    ...(route === undefined ? {} : { route }),
    ...(listener === undefined ? {} : { listener }),
    ...(host === undefined ? {} : { host }),
  });
  return { lab, seen, server };
}

const post = (body: string, headers = ""): string =>
  `POST / HTTP/1.1\r\nHost: a\r\n${headers}Content-Length: ${body.length}\r\n\r\n${body}`;

test("a response whose retries are used up is passed on, and its flag says so", async (context) => {
  const { lab, seen } = await start(context, () => failed, { retry: { retry_on: "5xx", num_retries: 2 } });
  const answer = await lab.ask();
  assert.match(answer, /^HTTP\/1\.1 503 /);
  assert.doesNotMatch(answer, /x-mesh-error/);
  assert.equal(seen.length, 3);
  assert.equal(lab.stat("cluster.up.upstream_rq_retry_limit_exceeded"), 1);
  assert.equal(lab.stat("cluster.up.retry.upstream_rq_503"), 2);
  assert.deepEqual(await lab.logged(), ["503 URX via_upstream -"]);
});

test("a body goes out whole each time as long as it is short enough to keep", async (context) => {
  const { lab, seen } = await start(context, (_request, index) => (index < 2 ? failed : ok("at last")), {
    retry: { retry_on: "5xx", num_retries: 2 },
    route: { per_request_buffer_limit_bytes: 1000 },
  });
  const body = "x".repeat(1000);
  assert.match(await (await lab.client()).write(post(body)).receives("at last"), /^HTTP\/1\.1 200 /);
  assert.deepEqual(
    seen.map((request) => request.endsWith(`\r\n\r\n${body}`)),
    [true, true, true],
  );
});

test("a longer one goes out once", async (context) => {
  const { lab, seen } = await start(context, () => failed, {
    retry: { retry_on: "5xx", num_retries: 2 },
    listener: { per_connection_buffer_limit_bytes: 1000 },
  });
  assert.match(await lab.ask(post("x".repeat(1001))), /^HTTP\/1\.1 503 /);
  assert.equal(seen.length, 1);
  assert.equal(lab.stat("cluster.up.retry_or_shadow_abandoned"), 1);
});

test("host and client learn how often it was tried, and the host whether the last one ran out of time", async (context) => {
  const { lab, seen } = await start(context, (_request, index) => (index === 0 ? "" : ok("second")), {
    retry: { retry_on: "5xx", per_try_timeout: "0.1s" },
    action: { timeout: "5s" },
    host: { include_request_attempt_count: true, include_attempt_count_in_response: true, include_is_timeout_retry_header: true },
  });
  assert.match(await lab.ask(), /\r\nx-envoy-attempt-count: 2\r\n/);
  assert.deepEqual(
    seen.map((request) => [head("x-envoy-attempt-count", request), head("x-envoy-is-timeout-retry", request)]),
    [
      ["1", undefined],
      ["2", "true"],
    ],
  );
});

test("each host is told how long it has", async (context) => {
  const expected = async (action: Json, retry: Json): Promise<(number | undefined)[]> => {
    const { lab, seen } = await start(context, (_request, index) => (index === 0 ? failed : ok("")), { action, retry });
    await lab.ask();
    return seen.map((request) => {
      const text = head("x-envoy-expected-rq-timeout-ms", request);
      return text === undefined ? undefined : Number(text);
    });
  };
  const wait = { retry_on: "5xx", retry_back_off: { base_interval: "0.05s" } };
  const [first, second] = await expected({ timeout: "5s" }, wait);
  assert.equal(first, 5000);
  assert.ok(second! <= 5000 && second! > 4000, String(second));
  assert.deepEqual(await expected({ timeout: "5s" }, { ...wait, per_try_timeout: "2s" }), [2000, 2000]);
  assert.deepEqual(await expected({ timeout: "0s" }, wait), [undefined, undefined]);
});

test("a try's time begins with the end of the request", async (context) => {
  const { lab } = await start(context, () => ok("in time"), { retry: { per_try_timeout: "0.6s" }, action: { timeout: "5s" } });
  const client = (await lab.client()).write("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nx");
  await eventually(() => lab.expect("cluster.up.upstream_rq_active", 1), { withinMs: 2000 });
  await new Promise((resolve) => setTimeout(resolve, 700));
  assert.match(await client.write("x").receives("in time"), /^HTTP\/1\.1 200 /);
});

test("an internal request asks for retries that its route knows nothing of", async (context) => {
  const { lab, seen } = await start(context, (_request, index) => (index < 2 ? failed : ok("at last")));
  const asks = "X-Envoy-Retry-On: gateway-error\r\nX-Envoy-Max-Retries: 2\r\n";
  assert.match(await lab.ask(post("", asks)), /^HTTP\/1\.1 503 /);
  assert.equal(seen.length, 1);
  assert.match(await lab.ask(post("", `X-Forwarded-For: 10.0.0.1\r\n${asks}`)), /^HTTP\/1\.1 200 /);
  assert.equal(seen.length, 3);
  assert.ok(seen.every((request) => !/x-envoy-(retry|max)/i.test(request)));
});

test("a response that says when to come again is believed", async (context) => {
  const busy = "HTTP/1.1 429 Busy\r\nX-Envoy-RateLimited: true\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n";
  const { lab } = await start(context, (_request, index) => (index === 0 ? busy : ok("later")), {
    retry: { retry_on: "envoy-ratelimited", rate_limited_retry_back_off: { reset_headers: [{ name: "Retry-After" }] } },
  });
  const since = performance.now();
  assert.match(await lab.ask(), /^HTTP\/1\.1 200 /);
  assert.ok(performance.now() - since >= 999);
  assert.equal(lab.stat("cluster.up.upstream_rq_retry_backoff_ratelimited"), 1);
});

test("no more retries are under way than the budget admits", async (context) => {
  const silent = "";
  // Three requests are retried at once; each retry then gets no answer.
  const { lab } = await start(context, (_request, index) => (index < 3 ? failed : silent), {
    retry: { retry_on: "5xx" },
    cluster: { circuit_breakers: { thresholds: [{ retry_budget: { budget_percent: { value: 1 }, min_retry_concurrency: 2 } }] } },
  });
  const clients = await Promise.all([1, 2, 3].map(() => lab.client()));
  for (const each of clients) each.write("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  await eventually(() => lab.expect("cluster.up.upstream_rq_retry_overflow", 1), { withinMs: 2000 });
  const refused = await eventually(() => clients.filter((each) => each.text !== "")[0] ?? assert.fail(), { withinMs: 2000 });
  assert.match(refused.text, /^HTTP\/1\.1 503 /);
  lab.expect("cluster.up.upstream_rq_retry", 2);
});

test("a stream that a host refuses unseen goes out once more, whatever its method", async (context) => {
  let count = 0;
  const server = createHttp2Server();
  server.on("stream", (stream: ServerHttp2Stream) => {
    stream.on("error", () => undefined);
    if (count++ === 0) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    else {
      stream.respond({ ":status": 200 });
      stream.end("taken");
    }
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const lab = new Lab(context);
  await lab.start({
    port: (server.address() as AddressInfo).port,
    cluster: {
      typed_extension_protocol_options: {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
          "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
          explicit_http_config: { http2_protocol_options: {} },
        },
      },
    },
  });
  assert.match(await (await lab.client()).write(post("precious")).receives("taken"), /^HTTP\/1\.1 200 /);
  assert.equal(count, 2);
  await lab.plane.stop();
  server.close();
});
