// The webhooks of `meshctl controller` as a process, with the API server double as its cluster and the test as the caller.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import type { TLSSocket } from "node:tls";
import { systemClock } from "../../../src/common/clock.ts";
import { loadKubeconfig } from "../../../src/kube/cluster-config.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { KubeObjects } from "../../../src/kube/objects.ts";
import { resolveValues } from "../../../src/manifests/install/profiles.ts";
import { webhookConfigurations } from "../../../src/manifests/install/webhook-configurations.ts";
import type { WebhookConfiguration } from "../../../src/manifests/install/webhook-configurations.ts";
import type { PodTemplate } from "../../../src/manifests/kube-objects.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { eventually } from "../../support/eventually.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import { manifests } from "../../support/source-beds.ts";
import { patched, podOf, reviewOf } from "../../support/webhook/reviews.ts";
import type { ReadResponse } from "../../support/webhook/reviews.ts";

const BIN = resolve(import.meta.dirname, "../../../bin/meshctl");
const PORTS = ["xds", "secure", "webhook", "monitoring"].map((each) => `--${each}-address=127.0.0.1:0`);
const SERVICE = "controller.mesh-system.svc";
const CLUSTER = `
apiVersion: v1
kind: Namespace
metadata: { name: shop, labels: { meshctl.io/inject: enabled } }
---
apiVersion: networking.istio.io/v1
kind: VirtualService
metadata: { name: bad, namespace: shop }
spec: { hosts: [a], http: [{ rout: [] }] }
`;
const within = { withinMs: 20_000 };
const folder = mkdtempSync(join(tmpdir(), "meshctl-webhooks-"));
const kubeconfig = join(folder, "config");
after(() => rmSync(folder, { recursive: true, force: true }));

interface Answer {
  readonly status: number;
  readonly text: string;
  readonly fingerprint: string;
}

describe("the webhooks of a controller", () => {
  let server: ApiServer;
  let connection: ClusterConnection;
  let objects: KubeObjects;
  let log: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    log = "";
    server = new ApiServer();
    await server.start();
    writeFileSync(kubeconfig, server.kubeconfig());
    connection = loadKubeconfig({ kubeconfig, context: undefined }, {});
    objects = new KubeObjects({ connection, clock: systemClock });
    for (const each of manifests(CLUSTER)) server.create(each);
    for (const each of webhookConfigurations(resolveValues([]).values)) server.create(each as never);
  });
  afterEach(async () => {
    for (const each of children.splice(0)) each.kill("SIGKILL");
    connection.close();
    await server.stop();
  });

  interface Replica {
    readonly child: ChildProcess;
    readonly port: number;
    readonly monitoring: number;
  }

  async function start(): Promise<Replica> {
    const child = spawn(BIN, ["controller", "--kubeconfig", kubeconfig, "--sidecar-image=meshctl:test", "--log-format=text", ...PORTS], {
      stdio: ["ignore", "ignore", "pipe"],
    });
    children.push(child);
    let own = "";
    child.stderr.setEncoding("utf8").on("data", (text: string) => {
      own += text;
      log += text;
    });
    const port = (name: string): Promise<number> =>
      eventually(() => Number(new RegExp(`serving \\d+ services .*${name}=127\\.0\\.0\\.1:(\\d+)`).exec(own)![1]!), within);
    return { child, port: await port("webhooks"), monitoring: await port("monitoring") };
  }

  const isReady = async ({ monitoring }: Replica): Promise<boolean> => (await fetch(`http://127.0.0.1:${monitoring}/ready`)).ok;
  const untilReady = (replica: Replica): Promise<void> => eventually(async () => assert.ok(await isReady(replica)), within);

  async function configurations(): Promise<readonly WebhookConfiguration[]> {
    const kinds = ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"];
    const found = await Promise.all(kinds.map((kind) => objects.list({ apiVersion: "admissionregistration.k8s.io/v1", kind })));
    return found.flatMap((each) => each ?? []) as unknown as WebhookConfiguration[];
  }

  /** What API servers believe, which must be one and the same in every webhook. */
  async function caBundle(): Promise<string> {
    const all = (await configurations()).flatMap(({ webhooks }) => webhooks.map((each) => each.clientConfig.caBundle));
    assert.equal(new Set(all).size, 1);
    assert.ok(all[0] !== undefined);
    return Buffer.from(all[0], "base64").toString();
  }

  /** As an API server calls, by the Service's name and with nothing but the caBundle to believe in. */
  async function call(
    replica: Replica,
    path: string,
    body: string,
    headers: Record<string, string> = {},
    method = "POST",
  ): Promise<Answer> {
    const sent = request({
      ...{ host: "127.0.0.1", port: replica.port, servername: SERVICE, ca: await caBundle(), agent: false, method, path },
      headers: { "content-type": "application/json", "content-length": Buffer.byteLength(body), ...headers },
    });
    sent.on("error", () => undefined);
    sent.end(body);
    const [response] = (await once(sent, "response")) as [IncomingMessage];
    const { fingerprint256 } = new X509Certificate((response.socket as TLSSocket).getPeerCertificate().raw);
    let text = "";
    for await (const chunk of response.setEncoding("utf8")) text += String(chunk);
    return { status: response.statusCode ?? 0, text, fingerprint: fingerprint256 };
  }

  async function review(replica: Replica, path: string, body: unknown): Promise<ReadResponse> {
    const { status, text } = await call(replica, `${path}?timeout=5s`, JSON.stringify(body));
    assert.equal(status, 200, text);
    return (JSON.parse(text) as { response: ReadResponse }).response;
  }

  test("inject pods over TLS that the caBundle vouches for, and say so in metric and event", async () => {
    const replica = await start();
    await untilReady(replica);
    const pod = podOf();
    const response = await review(replica, "/inject", reviewOf(pod));
    const after = patched(pod, response) as unknown as PodTemplate;
    const sidecar = after.spec.initContainers?.find((each) => each.name === "meshctl-proxy");
    assert.equal(sidecar?.image, "meshctl:test");
    assert.ok(sidecar.env?.some((each) => each.name === "MESHCTL_DISCOVERY_ADDRESS" && each.value === `${SERVICE}:15012`));
    await eventually(
      async () => assert.equal((await objects.list({ apiVersion: "v1", kind: "Event" }))?.[0]?.["reason"], "Injected"),
      within,
    );
    const metrics = await (await fetch(`http://127.0.0.1:${replica.monitoring}/metrics`)).text();
    assert.match(metrics, /^sidecar_injection_success_total 1$/m);
    assert.match(metrics, /^meshctl_injection_decisions_total\{decision="injected",reason="namespace"\} 1$/m);
  });

  test("have no effect but the answer on a dry run", async () => {
    const replica = await start();
    await untilReady(replica);
    const writes = (): number => server.requests.filter((each) => each.method !== "GET" && /events|status/.test(each.path)).length;
    const before = await eventually(() => (assert.ok(writes() > 0), writes()), within);
    assert.equal((await review(replica, "/inject", reviewOf(podOf(), { dryRun: true }))).patchType, "JSONPatch");
    await review(replica, "/validate", reviewOf({}, { dryRun: true }));
    assert.equal(writes(), before);
  });

  test("know a namespace that was made a moment ago", async () => {
    const replica = await start();
    await untilReady(replica);
    server.endWatches();
    server.create({ apiVersion: "v1", kind: "Namespace", metadata: { name: "new", labels: { "istio-injection": "enabled" } } });
    assert.equal((await review(replica, "/inject", reviewOf(podOf(), { namespace: "new" }))).patchType, "JSONPatch");
  });

  test("validate mesh configuration, and mark in its status what was there before", async () => {
    const replica = await start();
    await untilReady(replica);
    const [, bad] = manifests(CLUSTER);
    const response = await review(
      replica,
      "/validate",
      reviewOf(bad, { resource: { group: "networking.istio.io", version: "v1", resource: "virtualservices" } }),
    );
    assert.equal(response.allowed, false);
    assert.match(response.status?.message ?? "", /spec\.http\[0\]\.rout: unknown field; did you mean "route"\?/);
    const marked = await eventually(async () => {
      const found = await objects.get({ apiVersion: "networking.istio.io/v1", kind: "VirtualService", namespace: "shop", name: "bad" });
      return (found!["status"] as { conditions: readonly { reason: string; message: string }[] }).conditions[0]!;
    }, within);
    assert.deepEqual([marked.reason, marked.message], ["InvalidConfiguration", response.status?.message]);
  });

  test("answer everything that is no review with one clear text", async () => {
    const replica = await start();
    await untilReady(replica);
    const good = JSON.stringify(reviewOf(podOf()));
    for (const [status, pattern, path, body, headers, method] of [
      [404, /^nothing at \/other; there are \/inject, \/validate\n$/, "/other", good, {}, "POST"],
      [405, /^method GET not allowed, POST required\n$/, "/inject", "", {}, "GET"],
      [
        415,
        /^content-type "text\/plain" can't be read, application\/json required\n$/,
        "/inject",
        good,
        { "content-type": "text/plain" },
        "POST",
      ],
      [400, /^the body is no JSON: /, "/inject", "{", {}, "POST"],
      [400, /^wanted is an AdmissionReview of admission\.k8s\.io\/v1/, "/validate", "{}", {}, "POST"],
      [413, /^the body is larger than \d+ bytes\n$/, "/inject", JSON.stringify("x".repeat(9 * 2 ** 20)), {}, "POST"],
    ] as const) {
      const answer = await call(replica, path, body, headers, method);
      assert.deepEqual([answer.status, pattern.test(answer.text)], [status, true], answer.text);
    }
    assert.equal((await call(replica, "/inject", good, { "content-type": "application/json; charset=utf-8" })).status, 200);
  });

  test("are ready only once the caBundles are in place, and put them back", async () => {
    server.onRequest = ({ method, path }) => {
      if (method === "PATCH" && path.includes("validatingwebhook")) server.failNext(new ApiFailure(403, "Forbidden", "no"));
    };
    const replica = await start();
    await eventually(() => assert.match(log, /can't put the caBundle in place: no; allow the controller to patch/), within);
    assert.equal(await isReady(replica), false);
    server.onRequest = () => undefined;
    await untilReady(replica);
    const roots = await caBundle();
    const [injector] = webhookConfigurations(resolveValues([]).values);
    server.replace(injector as never);
    await eventually(async () => assert.equal(await caBundle(), roots), within);
    await eventually(() => assert.match(log, /somebody else has changed the caBundle/), within);
  });

  test("are believed on every replica by one caBundle, each with a certificate of its own", async () => {
    const replicas = await Promise.all([start(), start()]);
    for (const each of replicas) await untilReady(each);
    const answers = await Promise.all(replicas.map((each) => call(each, "/inject", JSON.stringify(reviewOf(podOf())))));
    assert.deepEqual(
      answers.map((each) => each.status),
      [200, 200],
    );
    assert.notEqual(answers[0]!.fingerprint, answers[1]!.fingerprint);
  });

  test("are believed again after the CA has been replaced", async () => {
    const first = await start();
    await untilReady(first);
    const roots = await caBundle();
    first.child.kill("SIGTERM");
    await once(first.child, "exit");
    await objects.delete({ apiVersion: "v1", kind: "Secret", namespace: "mesh-system", name: "meshctl-ca" });
    const second = await start();
    await untilReady(second);
    assert.notEqual(await caBundle(), roots);
    assert.equal((await call(second, "/inject", JSON.stringify(reviewOf(podOf())))).status, 200);
  });

  for (const [what, args, expected] of [
    [
      "files",
      ["--source", folder, "--secure-address=127.0.0.1:0", "--token-issuer-keys=/none"],
      /^meshctl: --webhook-address needs a cluster\n/,
    ],
    ["no secure port", ["--kubeconfig", kubeconfig], /^meshctl: --webhook-address needs --secure-address\n/],
  ] as const) {
    test(`are refused with ${what}`, async () => {
      const { code, stderr } = await runMeshctl(["controller", "--webhook-address=127.0.0.1:0", ...args]);
      assert.equal(code, 1);
      assert.match(stderr, expected);
    });
  }
});
