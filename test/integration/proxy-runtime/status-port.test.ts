// The sidecar's 15020, asked by Node's own clients and raw sockets, in front of real applications.
import assert from "node:assert/strict";
import { createServer as createHttpServer, type RequestListener } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { connect, createServer, type AddressInfo, type Server, type Socket } from "node:net";
import { describe, test, type TestContext } from "node:test";
import { Server as GrpcServer, ServerCredentials, status as GrpcStatus } from "@grpc/grpc-js";
import { request } from "undici";
import { readAppProbers, readScrapeTargets } from "../../../src/proxy-runtime/status/app-probers.ts";
import { startStatusPort, type StatusPortOptions } from "../../../src/proxy-runtime/status/status-port.ts";
import { StatsStore } from "../../../src/proxy-runtime/telemetry/stats-store.ts";
import { Env } from "../../../src/xds/names.ts";
import { fakeDataPlane } from "../../support/data-plane-view.ts";
import { selfSigned } from "../../support/openssl.ts";
import { parsePrometheus } from "../../support/prometheus-text.ts";

interface Setting {
  readonly probers?: object;
  readonly targets?: readonly object[];
  readonly options?: Partial<StatusPortOptions>;
}

async function startPort(context: TestContext, { probers = {}, targets = [], options = {} }: Setting): Promise<string> {
  const env = { [Env.appProbers]: JSON.stringify(probers), [Env.scrapeTargets]: JSON.stringify(targets) };
  const store = new StatsStore();
  store.counter("listener.own_total", "envoy_own_total", []).add(1);
  store.counter("listener.plain", "envoy_plain", []).add(2);
  const port = await startStatusPort(["127.0.0.1"], 0, {
    view: fakeDataPlane(),
    reader: store,
    store,
    probers: readAppProbers(env),
    scrapeTargets: readScrapeTargets(env),
    podIp: "127.0.0.1",
    ...options,
  });
  context.after(() => port.stop());
  return `http://127.0.0.1:${port.port}`;
}

async function listen(context: TestContext, server: Server, host = "127.0.0.1"): Promise<number> {
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => sockets.add(socket));
  await new Promise<void>((resolve) => server.listen(0, host, resolve));
  context.after(() => {
    for (const each of sockets) each.destroy();
    server.close();
  });
  return (server.address() as AddressInfo).port;
}

function startApp(context: TestContext, answer: RequestListener, host?: string): Promise<number> {
  return listen(context, createHttpServer(answer), host);
}

/** Answers every connection with these bytes, then ends it or leaves it open. */
function startRaw(context: TestContext, bytes: string, ends: boolean): Promise<number> {
  return listen(
    context,
    createServer((socket) => {
      socket.on("error", () => undefined);
      socket.once("data", () => (ends ? socket.end(bytes) : socket.write(bytes)));
    }),
  );
}

const PATH = "/app-health/web/readyz";

async function ask(base: string, path = PATH, headers: Record<string, string> = {}) {
  const { statusCode, headers: fields, body } = await request(`${base}${path}`, { headers });
  return { status: statusCode, type: fields["content-type"], body: await body.text() };
}

const http = (httpGet: object, timeoutSeconds = 1): object => ({ [PATH]: { httpGet, timeoutSeconds } });

describe("probes of the application by way of 15020", () => {
  test("ask it as kubelet would, from the address that is not captured, and pass its answer on", async (context) => {
    const seen: unknown[] = [];
    const port = await startApp(context, ({ url, headers, socket }, response) => {
      seen.push([url, headers.host, headers["user-agent"], headers["x-key"], headers.accept, socket.remoteAddress]);
      response.writeHead(418, { "content-type": "text/x" }).end("short and stout");
    });
    const httpHeaders = [
      { name: "X-Key", value: "a b" },
      { name: "Accept", value: "" },
    ];
    const base = await startPort(context, { probers: http({ path: "hea lth?deep=ü", port, httpHeaders }) });
    const answer = await ask(base, PATH, { "user-agent": "kube-probe/1.34" });
    assert.deepEqual(answer, { status: 418, type: "text/x", body: "short and stout" });
    assert.deepEqual(seen, [["/hea%20lth?deep=%C3%BC", `127.0.0.1:${port}`, "kube-probe/1.34", "a b", undefined, "127.0.0.6"]]);
  });

  test("take a Host header of the probe's own, and any certificate", async (context) => {
    const { certificate: cert, key } = selfSigned("DNS:other.example");
    const server = createHttpsServer({ cert, key }, ({ headers }, response) => void response.end(headers.host));
    const port = await listen(context, server);
    const httpHeaders = [{ name: "host", value: "web.example" }];
    const base = await startPort(context, { probers: http({ path: "/", port, scheme: "HTTPS", httpHeaders }) });
    assert.deepEqual(await ask(base), { status: 200, type: "text/plain", body: "web.example" });
  });

  test("go to another host without an address of their own choice", async (context) => {
    const port = await startApp(context, ({ socket }, response) => void response.end(socket.remoteAddress), "::1");
    const base = await startPort(context, { probers: http({ port, host: "::1" }) });
    assert.equal((await ask(base)).body, "::1");
  });

  for (const [what, bytes, ends, expected] of [
    ["chunks", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n", false, [200, "abcde"]],
    ["a body up to the end", "HTTP/1.0 200 OK\r\n\r\nabc", true, [200, "abc"]],
    ["an interim answer", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n", false, [204, ""]],
    [
      "a body that breaks off",
      "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc",
      true,
      [503, "the connection ended in the middle of the answer\n"],
    ],
    ["no HTTP", "SSH-2.0-x\r\n\r\n", false, [503, 'not an HTTP/1.1 answer: "SSH-2.0-x"\n']],
    ["nothing", "", true, [503, "the connection ended without an answer\n"]],
    ["more than kubelet reads", `HTTP/1.1 200 OK\r\n\r\n${"x".repeat(20_000)}`, false, [200, "x".repeat(10 * 1024)]],
    ["nothing for too long", "", false, [503, "no answer within 0.2 s\n"]],
  ] as const) {
    test(`understand ${what}`, async (context) => {
      const base = await startPort(context, { probers: http({ port: await startRaw(context, bytes, ends) }, 0.2) });
      const { status, body } = await ask(base);
      assert.deepEqual([status, body], expected);
    });
  }

  test("follow redirects on the same host only, and not without end", async (context) => {
    const targets: Record<string, string> = { "/a": "b", "/loop": "/loop", "/away": "http://example.com/" };
    const port = await startApp(context, ({ url = "" }, response) => {
      const location = targets[url];
      if (location === undefined) response.end("there");
      else response.writeHead(302, { location }).end();
    });
    const probers = Object.fromEntries(Object.keys(targets).map((path) => [`/app-health${path}/livez`, { httpGet: { path, port } }]));
    const base = await startPort(context, { probers });
    assert.deepEqual(await ask(base, "/app-health/a/livez"), { status: 200, type: "text/plain", body: "there" });
    assert.deepEqual(await ask(base, "/app-health/loop/livez").then(({ status, body }) => [status, body]), [
      503,
      "stopped after 10 redirects\n",
    ]);
    assert.equal((await ask(base, "/app-health/away/livez")).status, 302);
  });

  test("keep a Host header of their own for a redirect that names no host", async (context) => {
    const targets: Record<string, (port: number) => string> = { "/near": () => "/x", "/named": (port) => `http://127.0.0.1:${port}/x` };
    const port: number = await startApp(context, ({ url = "", headers }, response) => {
      const location = targets[url]?.(port);
      if (location === undefined) response.end(headers.host);
      else response.writeHead(307, { location }).end();
    });
    const get = (path: string): object => ({ httpGet: { path, port, httpHeaders: [{ name: "Host", value: "web.example" }] } });
    const base = await startPort(context, { probers: { "/app-health/a/livez": get("/near"), "/app-health/b/livez": get("/named") } });
    assert.equal((await ask(base, "/app-health/a/livez")).body, "web.example");
    assert.equal((await ask(base, "/app-health/b/livez")).body, `127.0.0.1:${port}`);
  });

  test("connect for tcpSocket", async (context) => {
    const port = await listen(context, createServer());
    const closed = createServer();
    const free = await new Promise<number>((resolve) =>
      closed.listen(0, "127.0.0.1", () => resolve((closed.address() as AddressInfo).port)),
    );
    await new Promise((resolve) => closed.close(resolve));
    const base = await startPort(context, {
      probers: { [PATH]: { tcpSocket: { port }, timeoutSeconds: 1 }, "/app-health/web/livez": { tcpSocket: { port: free } } },
    });
    assert.equal((await ask(base)).status, 200);
    const refused = await ask(base, "/app-health/web/livez");
    assert.deepEqual([refused.status, refused.body], [503, `connect ECONNREFUSED 127.0.0.1:${free}\n`]);
  });

  test("ask gRPC's health service for the service that the probe names", async (context) => {
    const server = new GrpcServer();
    const asIs = { requestSerialize: (each: Buffer) => each, requestDeserialize: (each: Buffer) => each };
    const answers = { responseSerialize: (each: Buffer) => each, responseDeserialize: (each: Buffer) => each };
    const check = { path: "/grpc.health.v1.Health/Check", requestStream: false, responseStream: false, ...asIs, ...answers };
    server.addService(
      { check },
      {
        check: ({ request: message }: { request: Buffer }, reply: (error: object | null, answer?: Buffer) => void) => {
          const service = message.subarray(2).toString();
          if (service === "gone") reply({ code: GrpcStatus.NOT_FOUND, details: "unknown service" });
          else reply(null, Buffer.of(0x08, service === "" ? 1 : 2));
        },
      },
    );
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound))),
    );
    context.after(() => server.forceShutdown());
    const prober = (service?: string): object => ({ grpc: { port, ...(service === undefined ? {} : { service }) }, timeoutSeconds: 2 });
    const probers = { [PATH]: prober(), "/app-health/b/readyz": prober("down"), "/app-health/c/readyz": prober("gone") };
    const base = await startPort(context, { probers });
    assert.equal((await ask(base)).status, 200);
    assert.deepEqual(await ask(base, "/app-health/b/readyz").then(({ status, body }) => [status, body]), [
      503,
      "the service is NOT_SERVING\n",
    ]);
    assert.match((await ask(base, "/app-health/c/readyz")).body, /unknown service/);
  });

  test("of lifecycle handlers wait as long as whoever asks, and end when that goes", async (context) => {
    const seen = Promise.withResolvers<void>();
    const gone = Promise.withResolvers<void>();
    const port = await startApp(context, (asked) => {
      seen.resolve();
      asked.socket.on("close", () => gone.resolve());
    });
    const base = await startPort(context, { probers: { "/app-lifecycle/web/prestopz": { httpGet: { port } } } });
    const socket = connect(Number(new URL(base).port), "127.0.0.1");
    socket.write("GET /app-lifecycle/web/prestopz HTTP/1.1\r\nHost: a\r\n\r\n");
    await seen.promise;
    socket.destroy();
    await gone.promise;
  });

  test("that the injector didn't write are refused, and other paths unknown", async (context) => {
    const base = await startPort(context, {});
    assert.equal((await ask(base, "/app-health/other/readyz")).status, 400);
    assert.equal((await ask(base, "/app-lifecycle/other/prestopz")).status, 400);
    assert.equal((await ask(base, "/config_dump")).status, 404);
  });
});

describe("what the injector wrote", () => {
  for (const [json, message] of [
    ["{", /MESHCTL_KUBE_APP_PROBERS is no JSON/],
    ['{"/x":{}}', /\/x: .*has no httpGet, tcpSocket or grpc/],
    ['{"/x":{"tcpSocket":{"port":"web"}}}', /tcpSocket.port.*is no port/],
    ['{"/x":{"httpGet":{"port":1,"path":7}}}', /7 is no path/],
    ['{"/x":{"httpGet":{"port":1,"httpHeaders":[{"name":"a","value":"b\\r\\nc: d"}]}}}', /is no header/],
    ['{"/x":{"httpGet":{"port":1},"timeoutSeconds":-1}}', /timeoutSeconds/],
  ] as const)
    test(`is refused where it makes no sense: ${json}`, () => assert.throws(() => readAppProbers({ [Env.appProbers]: json }), { message }));
});

describe("the metrics of 15020", () => {
  const APP = '# HELP app_jobs Jobs.\n# TYPE app_jobs counter\napp_jobs{a="b"} 3\n';

  test("are the sidecar's and the application's, in the text format", async (context) => {
    const port = await startApp(context, ({ url, headers }, response) => {
      response.setHeader("content-type", "text/plain; version=0.0.4");
      response.end(url === "/m" && headers.accept === "text/plain;version=0.0.4" ? APP : "");
    });
    const base = await startPort(context, { targets: [{ port, path: "/m" }] });
    const { status, type, body } = await ask(base, "/stats/prometheus");
    assert.deepEqual([status, type], [200, "text/plain; version=0.0.4; charset=utf-8"]);
    assert.ok(body.endsWith(APP));
    assert.ok(parsePrometheus(body.slice(0, -APP.length)).has("envoy_own_total"));
  });

  test("are OpenMetrics where the asking side and the application have it", async (context) => {
    const app = '# TYPE jobs counter\njobs_total 3 # {trace="x"} 1\n';
    const port = await startApp(context, ({ headers }, response) => {
      assert.match(headers.accept ?? "", /^application\/openmetrics-text;version=1.0.0/);
      response.setHeader("content-type", "application/openmetrics-text; version=1.0.0; charset=utf-8").end(`${app}# EOF\n`);
    });
    const base = await startPort(context, { targets: [{ port, path: "/metrics" }] });
    const { type, body } = await ask(base, "/metrics", { accept: "application/openmetrics-text;version=1.0.0,text/plain;q=0.5" });
    assert.match(String(type), /^application\/openmetrics-text; version=1.0.0/);
    assert.match(body, /^# TYPE envoy_own counter\nenvoy_own_total\{\} 1\n# TYPE envoy_plain unknown\nenvoy_plain\{\} 2\n/);
    assert.ok(body.endsWith(`${app}# EOF\n`));
    assert.ok(!body.includes("\n\n"));
  });

  for (const [what, answer] of [
    ["an error", (_, response) => response.writeHead(500).end("oops")],
    ["compressed bytes", (_, response) => response.writeHead(200, { "content-encoding": "gzip" }).end("x")],
    ["protobuf", (_, response) => response.writeHead(200, { "content-type": "application/vnd.google.protobuf" }).end("x")],
    ["nothing in time", () => undefined],
  ] as readonly (readonly [string, RequestListener])[]) {
    test(`are the sidecar's alone, and count the failure, where the application answers ${what}`, async (context) => {
      const port = await startApp(context, answer);
      const base = await startPort(context, { targets: [{ port, path: "/" }] });
      const { status, body } = await ask(base, "/stats/prometheus", { "x-prometheus-scrape-timeout-seconds": "0.3" });
      const metrics = parsePrometheus(body);
      assert.equal(status, 200);
      assert.ok(metrics.has("envoy_own_total"));
      assert.deepEqual(metrics.get("istio_agent_scrape_failures_total")?.samples[0]?.value, 1);
      assert.deepEqual(metrics.get("istio_agent_scrapes_total")?.samples[0]?.value, 1);
    });
  }
});

describe("orders at 15020", () => {
  test("drain and end the proxy, by POST from inside the pod", async (context) => {
    const view = fakeDataPlane();
    const orders: string[] = [];
    view.drainListeners = async (options) => void orders.push(JSON.stringify(options));
    view.quit = () => void orders.push("quit");
    const base = await startPort(context, { options: { view } });
    const post = async (path: string, method: "POST" | "GET" = "POST"): Promise<number> =>
      (await request(`${base}${path}`, { method })).statusCode;
    assert.deepEqual([await post("/drain", "GET"), await post("/quitquitquit", "GET")], [405, 405]);
    assert.deepEqual([await post("/drain"), await post("/quitquitquit")], [200, 200]);
    assert.deepEqual(orders, ['{"inboundOnly":true,"graceful":true,"skipExit":true}', "quit"]);
    assert.equal((await ask(base, "/healthz/ready")).status, 200);
    view.serverState = "DRAINING";
    assert.equal((await ask(base, "/healthz/ready")).status, 503);
  });

  test("are refused from outside the pod", async (context) => {
    const [address] = Object.values((await import("node:os")).networkInterfaces())
      .flatMap((each) => each ?? [])
      .filter((each) => !each.internal);
    if (address === undefined) return context.skip("this machine has no address but loopback");
    const store = new StatsStore();
    const view = fakeDataPlane();
    const options = { view, reader: store, store, probers: new Map(), scrapeTargets: [], podIp: address.address };
    const port = await startStatusPort([address.address], 0, options);
    context.after(() => port.stop());
    const host = address.family === "IPv6" ? `[${address.address}]` : address.address;
    assert.equal((await request(`http://${host}:${port.port}/quitquitquit`, { method: "POST" })).statusCode, 403);
  });
});
