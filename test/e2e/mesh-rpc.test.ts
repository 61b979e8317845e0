// gRPC and HTTP/2 over a mesh: every kind of call, spread call by call, with its status, deadline and metrics; and requests
// that reach the far application in the version of HTTP that they were sent in.
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import { CAN_RUN_LOCAL_MESH, LocalMesh } from "../support/local-mesh.ts";
import { app, peerAuthentication, rpcProgram, service, writeDocuments } from "../support/mesh/app-manifests.ts";
import { PodPorts, podOf, podsOf, type PodPort } from "../support/mesh/pod-client.ts";
import { sumOfSamples } from "../support/prometheus-text.ts";

const NEEDS = CAN_RUN_LOCAL_MESH ? {} : { skip: "needs Linux and root" };
const APP_PORT = 8080;
const ADMIN_PORT = 15000;
const PROMETHEUS_PORT = 15090;
const DEADLINE_EXCEEDED = 4;
const FAILED_PRECONDITION = 9;
const UNAVAILABLE = 14;
const LEDGER = "ledger:50051";

interface Answer {
  readonly pod: string;
  readonly [key: string]: unknown;
}

interface RpcResult {
  readonly code: number;
  readonly details: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly trailers: Readonly<Record<string, string>>;
  readonly answers: readonly Answer[];
}

interface Rpc {
  readonly target: string;
  readonly name: "get" | "list" | "sum" | "chat" | "fail" | "hang";
  readonly messages?: readonly object[];
  readonly timeoutMs?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Each message waits for the answer to the one before. */
  readonly turns?: boolean;
}

interface Reply {
  readonly status: number;
  readonly body: string;
  readonly error?: string;
}

interface Upgraded {
  readonly status: number;
  readonly text: string;
  readonly rawHeaders?: readonly string[];
}

class RpcApp {
  readonly #port: PodPort;

  constructor(port: PodPort) {
    this.#port = port;
  }

  /** All at the same time. */
  async callAll(calls: readonly Rpc[]): Promise<RpcResult[]> {
    return JSON.parse(await this.#port.request("/rpc", "POST", JSON.stringify(calls))) as RpcResult[];
  }

  async call(call: Rpc): Promise<RpcResult> {
    return (await this.callAll([call]))[0]!;
  }

  async request(url: string, version: 1 | 2): Promise<Reply> {
    return (JSON.parse(await this.#port.request("/request", "POST", JSON.stringify([{ url, version, body: "payload" }]))) as Reply[])[0]!;
  }

  async upgrade(url: string, token: string, say: string): Promise<Upgraded> {
    return (JSON.parse(await this.#port.request("/upgrade", "POST", JSON.stringify([{ url, token, say }]))) as Upgraded[])[0]!;
  }

  async cancelledCalls(): Promise<number> {
    return (await this.#port.json<{ cancelled: number }>("/")).cancelled;
  }
}

describe("gRPC over a mesh", NEEDS, () => {
  const mesh = new LocalMesh("rpc");
  const ports = new PodPorts(mesh.name);
  let client: RpcApp;
  let outsider: RpcApp;
  let ledgers: readonly RpcApp[];

  const metricsOf = (owner: string): Promise<string[]> =>
    Promise.all(podsOf(mesh.name, owner).map((pod) => ports.openOn(pod, PROMETHEUS_PORT).request("/stats/prometheus")));

  before(async () => {
    const rpcApp = { namespace: "bank", file: "rpc-app.cjs" } as const;
    const grpcPort = { name: "grpc", port: 50051 };
    writeDocuments(join(mesh.folder, "apps.yaml"), [
      rpcProgram("bank"),
      ...app({ ...rpcApp, name: "client" }),
      ...app({ ...rpcApp, name: "outsider", isOutside: true }),
      ...app({ ...rpcApp, name: "ledger", replicas: 2 }),
      ...app({ ...rpcApp, name: "legacy", isOutside: true }),
      service("bank", "ledger", {
        ports: [
          grpcPort,
          { name: "http", port: 80, targetPort: 8090 },
          { name: "told-by-its-bytes", port: 7000, targetPort: 8091 },
          { name: "http2", port: 81, targetPort: 8092 },
        ],
      }),
      service("bank", "ledger-pods", { clusterIP: "None", selector: { app: "ledger" }, ports: [grpcPort] }),
      service("bank", "legacy", { ports: [grpcPort] }),
      service("bank", "nobody", { ports: [grpcPort] }),
    ]);
    await mesh.start("-f", mesh.folder);
    client = new RpcApp(ports.open("client", APP_PORT));
    outsider = new RpcApp(ports.open("outsider", APP_PORT));
    ledgers = podsOf(mesh.name, "ledger").map((pod) => new RpcApp(ports.openOn(pod, APP_PORT)));
    assert.equal(ledgers.length, 2);
  });
  after(() => {
    ports.close();
    return mesh.stop();
  });

  test("spreads the calls of one connection over the pods", async () => {
    const results = await client.callAll(Array.from({ length: 100 }, () => ({ target: LEDGER, name: "get" as const })));
    assert.deepEqual(new Set(results.map(({ code }) => code)), new Set([0]));
    const byPod = Map.groupBy(results, ({ answers }) => answers[0]!.pod);
    assert.equal(byPod.size, 2);
    for (const each of byPod.values()) assert.ok(each.length >= 20, `${each.length} of 100`);
  });

  test("carries all of them on a connection or two to each pod", async () => {
    const clusters = await ports.open("client", ADMIN_PORT).request("/clusters");
    const opened = [...clusters.matchAll(/^outbound\|50051\|\|ledger\.bank\S*::[\d.]+:50051::cx_total::(\d+)$/gm)].map((each) =>
      Number(each[1]),
    );
    assert.equal(opened.length, 2);
    for (const connections of opened) assert.ok(connections >= 1 && connections <= 2, `${connections} connections`);
  });

  test("carries streams in each direction, and in both, message by message", async () => {
    const list = await client.call({
      target: LEDGER,
      name: "list",
      messages: [{ count: 500, bytes: 2000, trailers: { "x-page": "last" } }],
    });
    assert.deepEqual([list.code, list.trailers["x-page"]], [0, "last"]);
    assert.deepEqual(
      list.answers.map(({ index }) => index),
      Array.from({ length: 500 }, (_, index) => index),
    );
    const messages = Array.from({ length: 200 }, (_, value) => ({ value, padding: "y".repeat(1000) }));
    const sum = await client.call({ target: LEDGER, name: "sum", messages });
    assert.deepEqual([sum.code, sum.answers[0]!["sum"]], [0, 19_900]);
    const chat = await client.call({ target: LEDGER, name: "chat", turns: true, messages: messages.slice(0, 50) });
    assert.equal(chat.code, 0);
    assert.deepEqual(
      chat.answers.map(({ value }) => value),
      messages.slice(0, 50).map(({ value }) => value),
    );
  });

  test("tells the server whom its caller called, and both what the other said", async () => {
    const { answers } = await client.call({ target: LEDGER, name: "get", headers: { "x-request": "kept" } });
    const { host, headers } = answers[0] as unknown as { host: string; headers: Record<string, string> };
    assert.equal(host, LEDGER);
    assert.equal(headers["x-request"], "kept");
    assert.match(headers["x-forwarded-client-cert"]!, /URI=spiffe:\/\/cluster\.local\/ns\/bank\/sa\/client/);
  });

  test("passes a failed call's status, words and trailers on, and tries none of them again", async () => {
    const failure = { code: FAILED_PRECONDITION, details: "balance is 0 €", trailers: { "x-balance": "0" } };
    const result = await client.call({ target: LEDGER, name: "fail", messages: [failure] });
    assert.deepEqual([result.code, result.details, result.trailers["x-balance"]], [FAILED_PRECONDITION, "balance is 0 €", "0"]);
  });

  test("lets the server know the deadline, and when its client has given up", async () => {
    const { answers } = await client.call({ target: LEDGER, name: "get", timeoutMs: 30_000 });
    const deadlineMs = Number(answers[0]!["deadlineMs"]);
    assert.ok(deadlineMs > 20_000 && deadlineMs <= 30_000, `${deadlineMs}`);
    const { code } = await client.call({ target: LEDGER, name: "hang", timeoutMs: 300 });
    assert.equal(code, DEADLINE_EXCEEDED);
    await eventually(
      async () =>
        assert.equal(
          (await Promise.all(ledgers.map((each) => each.cancelledCalls()))).reduce((sum, each) => sum + each),
          1,
        ),
      { withinMs: 5000 },
    );
  });

  test("answers in gRPC's words where nobody serves", async () => {
    const { code, details } = await client.call({ target: "nobody:50051", name: "get" });
    assert.equal(code, UNAVAILABLE);
    assert.match(details, /no healthy upstream/);
  });

  test("reaches pods by a headless service", async () => {
    const results = await client.callAll(Array.from({ length: 10 }, () => ({ target: "ledger-pods.bank:50051", name: "get" as const })));
    for (const { code, answers, details } of results) {
      assert.equal(code, 0, details);
      const headers = answers[0]!["headers"] as Record<string, string>;
      assert.match(headers["x-forwarded-client-cert"]!, /sa\/client/);
    }
  });

  test("works towards a pod without a sidecar, and from one", async () => {
    assert.equal((await client.call({ target: "legacy:50051", name: "get" })).answers[0]!.pod, podOf(mesh.name, "legacy").name);
    const { ip } = podsOf(mesh.name, "ledger")[0]!;
    assert.equal((await outsider.call({ target: `${ip}:50051`, name: "get" })).code, 0);
    const policy = join(mesh.folder, "policy.yaml");
    writeDocuments(policy, [peerAuthentication("bank", "default", { mtls: { mode: "STRICT" } })]);
    await eventually(async () => assert.equal((await outsider.call({ target: `${ip}:50051`, name: "get" })).code, UNAVAILABLE), {
      withinMs: 5000,
    });
    assert.equal((await client.call({ target: LEDGER, name: "get" })).code, 0);
    writeDocuments(policy, [peerAuthentication("bank", "default", { mtls: { mode: "PERMISSIVE" } })]);
  });

  for (const [owner, reporter] of [
    ["client", "source"],
    ["ledger", "destination"],
  ] as const) {
    test(`counts calls by their gRPC status, and their messages, at the ${reporter}`, async () => {
      const from = { reporter, source_principal: "spiffe://cluster.local/ns/bank/sa/client", destination_service_name: "ledger" };
      const counted = async (): Promise<{ ok: number; failed: number; messages: number }> => {
        const pages = await metricsOf(owner);
        const sum = (metric: string, status: string): number =>
          pages.reduce((total, page) => {
            const labels = { ...from, request_protocol: "grpc", response_code: "200", grpc_response_status: status };
            return total + sumOfSamples(page, metric, labels);
          }, 0);
        return {
          ok: sum("istio_requests_total", "0"),
          failed: sum("istio_requests_total", `${FAILED_PRECONDITION}`),
          messages: sum("istio_response_messages_total", "0"),
        };
      };
      const before = await counted();
      const results = await client.callAll([
        { target: LEDGER, name: "get" },
        { target: LEDGER, name: "list", messages: [{ count: 7 }] },
        { target: LEDGER, name: "fail", messages: [{ code: FAILED_PRECONDITION, details: "no" }] },
      ]);
      assert.deepEqual(
        results.map(({ code }) => code),
        [0, 0, FAILED_PRECONDITION],
      );
      const expected = { ok: before.ok + 2, failed: before.failed + 1, messages: before.messages + 8 };
      await eventually(async () => assert.deepEqual(await counted(), expected), { withinMs: 5000 });
    });
  }

  for (const [what, port, told] of [
    ["keeps the version of HTTP on a port named http", 80, { 1: "1.1", 2: "2.0" }],
    ["keeps the version of HTTP on a port whose bytes tell", 7000, { 1: "1.1", 2: "2.0" }],
    ["makes HTTP/2 of any request to a port named http2", 81, { 1: "2.0", 2: "2.0" }],
  ] as const) {
    test(what, async () => {
      for (const version of [1, 2] as const) {
        const { status, body, error } = await client.request(`http://ledger:${port}/path`, version);
        assert.equal(status, 200, error ?? body);
        const { version: arrived, method, url, body: payload } = JSON.parse(body) as Record<string, string>;
        assert.deepEqual([arrived, method, url, payload], [told[version], "POST", "/path", "payload"]);
      }
    });
  }

  for (const [what, token] of [
    ["WebSocket", "websocket"],
    ["a protocol that only the applications know", "acme/2"],
  ] as const) {
    test(`carries ${what} on a stream between the sidecars, and as HTTP/1.1 to the application`, async () => {
      const { status, text, rawHeaders } = await client.upgrade("http://ledger/socket?room=1", token, "hello");
      assert.equal(status, 101, text);
      const [first, second] = text.split("\n");
      const { pod, ...seen } = JSON.parse(first!) as Record<string, string>;
      assert.deepEqual(seen, { method: "GET", url: "/socket?room=1", upgrade: token, key: "dGhlIHNhbXBsZSBub25jZQ==" });
      assert.match(pod!, /^ledger-/);
      assert.equal(second, "hello");
      assert.ok(rawHeaders!.includes("X-Case"), rawHeaders!.join());
      const stats = await ports.open("client", ADMIN_PORT).request("/stats");
      assert.match(stats, /^cluster\.outbound\|80\|\|ledger\.bank\S*\.upstream_cx_http1_total: 0$/m);
    });
  }
});
