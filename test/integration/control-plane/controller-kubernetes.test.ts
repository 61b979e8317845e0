// `meshctl controller` as a process, on a cluster: the API server double.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, afterEach, beforeEach, describe, test } from "node:test";
import { TypeUrl } from "../../../src/xds/names.ts";
import { AdsTestClient, NODE, resourceNames } from "../../support/ads-test-client.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { eventually } from "../../support/eventually.ts";
import { runMeshctl } from "../../support/run-meshctl.ts";
import { manifests } from "../../support/source-beds.ts";

const BIN = resolve(import.meta.dirname, "../../../bin/meshctl");
const PORTS = ["--xds-address", "127.0.0.1:0", "--monitoring-address", "127.0.0.1:0", "--log-format", "text"];
const PAYMENTS = `
apiVersion: v1
kind: Service
metadata: { name: payments, namespace: shop }
spec: { clusterIP: 10.96.0.20, ports: [{ name: http, port: 8080 }] }
---
apiVersion: discovery.k8s.io/v1
kind: EndpointSlice
metadata: { name: payments-1, namespace: shop, labels: { kubernetes.io/service-name: payments } }
addressType: IPv4
ports: [{ name: http, port: 8080 }]
endpoints: [{ addresses: [10.244.0.20] }]
`;
const CLUSTER = "outbound|8080||payments.shop.svc.cluster.local";
const folder = mkdtempSync(join(tmpdir(), "meshctl-controller-kubernetes-"));
const kubeconfig = join(folder, "config");
after(() => rmSync(folder, { recursive: true, force: true }));

describe("meshctl controller on a cluster", () => {
  let server: ApiServer;
  let child: ChildProcess | undefined;
  let log: string;
  beforeEach(async () => {
    server = new ApiServer();
    await server.start();
    writeFileSync(kubeconfig, server.kubeconfig());
    log = "";
  });
  afterEach(async () => {
    child?.kill("SIGKILL");
    child = undefined;
    await server.stop();
  });

  function start(...flags: readonly string[]): void {
    child = spawn(BIN, ["controller", "--kubeconfig", kubeconfig, ...PORTS, ...flags], { stdio: ["ignore", "ignore", "pipe"] });
    child.stderr!.setEncoding("utf8").on("data", (text: string) => (log += text));
  }
  const portOf = (name: string): Promise<string> =>
    eventually(() => new RegExp(`serving \\d+ services .*${name}=127\\.0\\.0\\.1:(\\d+)`).exec(log)![1]!, { withinMs: 20_000 });
  async function ends(): Promise<number | null> {
    const [code] = (await once(child!, "exit")) as [number | null];
    return code;
  }

  test("tells a connected sidecar of a Service that is created, and of one that is deleted", async () => {
    start();
    const sidecar = new AdsTestClient(`127.0.0.1:${await portOf("xds")}`);
    try {
      sidecar.send({ node: NODE, typeUrl: TypeUrl.cluster });
      const first = await sidecar.next();
      assert.ok(!resourceNames(first).includes(CLUSTER));
      sidecar.ack(first);
      for (const each of manifests(PAYMENTS)) server.create(each);
      let next = await sidecar.next();
      while (!resourceNames(next).includes(CLUSTER)) next = await sidecar.next();
      sidecar.ack(next);
      // What happens while the server is away is made up for.
      await server.stop();
      server.delete(manifests(PAYMENTS)[0]!);
      await server.start();
      next = await sidecar.next(20_000);
      assert.ok(!resourceNames(next).includes(CLUSTER));
    } finally {
      sidecar.close();
    }
    child!.kill("SIGTERM");
    assert.equal(await ends(), 0);
    assert.match(log, / stopping signal=SIGTERM\n/);
  });

  test("listens only when the whole cluster has been read, and ends in order before that", async () => {
    server.onRequest = ({ path }) => {
      if (path.endsWith("/pods")) server.failNext(new ApiFailure(403, "Forbidden", "pods is forbidden"));
    };
    start();
    await eventually(() => assert.match(log, /pods is forbidden; allow the controller to list and watch pods; nothing is served/), {
      withinMs: 20_000,
    });
    assert.doesNotMatch(log, /serving/);
    child!.kill("SIGTERM");
    assert.equal(await ends(), 0);
    assert.match(log, / stopping signal=SIGTERM\n/);
  });

  test("says which object of the cluster has a mistake", async () => {
    const [bad] = manifests("apiVersion: networking.istio.io/v1\nkind: VirtualService\nmetadata: { name: a }\nspec: { host: [a] }\n");
    server.create(bad!);
    start();
    await portOf("monitoring");
    assert.match(log, / warn .*not applied: cluster: VirtualService default\/a: spec\.host: unknown field; did you mean "hosts"\?/);
  });

  test("ends with one message about a Secret that holds no CA", async () => {
    const metadata = { name: "meshctl-ca", namespace: "mesh-system" };
    server.create({ apiVersion: "v1", kind: "Secret", metadata, data: { "ca-cert.pem": "eA==", "root-cert.pem": "eA==" } });
    start("--secure-address", "127.0.0.1:0");
    assert.equal(await ends(), 1);
    assert.match(log, /^meshctl: Secret mesh-system\/meshctl-ca lacks ca-key\.pem\n {2}\S.*\n$/m);
    assert.doesNotMatch(log, /serving/);
  });

  test("waits for the CA's Secret while it may not read it, and ends in order meanwhile", async () => {
    server.onRequest = ({ path }) => {
      if (path.includes("/secrets")) server.failNext(new ApiFailure(403, "Forbidden", "secrets is forbidden"));
    };
    start("--secure-address", "127.0.0.1:0");
    await eventually(() => assert.match(log, /secrets is forbidden; allow the controller to get and create Secrets in mesh-system\n/), {
      withinMs: 20_000,
    });
    child!.kill("SIGTERM");
    assert.equal(await ends(), 0);
    assert.doesNotMatch(log, /serving/);
  });

  test("touches nothing of the cluster without the secure port", async () => {
    start();
    await portOf("monitoring");
    assert.deepEqual(
      server.requests.filter((each) => each.method !== "GET" || /secrets|leases/.test(each.path)),
      [],
    );
  });

  for (const [what, args, expected] of [
    ["a kubeconfig that isn't there", ["--kubeconfig", "/none"], /^meshctl: can't read the kubeconfig \/none: no such file\n {2}\S/],
    ["a context that isn't there", ["--kubeconfig", kubeconfig, "--context", "x"], /^meshctl: no context "x" in .*\n {2}.* double\n/],
    ["files and a cluster", ["--source", folder, "--context", "x"], /^meshctl: --source and --context can't be given together\n {2}\S/],
    ["neither of them", [], /^meshctl: no --source given\n {2}.*--kubeconfig FILE/],
  ] as const) {
    test(`ends with one message about ${what}`, async () => {
      const { code, stderr } = await runMeshctl(["controller", ...args]);
      assert.equal(code, 1);
      assert.match(stderr, expected);
      assert.equal(stderr.trimEnd().split("\n").length, 2, stderr);
    });
  }

  test("ends with one message about a server that doesn't answer", async () => {
    await server.stop();
    const { code, stderr } = await runMeshctl(["controller", "--kubeconfig", kubeconfig]);
    assert.equal(code, 1);
    assert.match(stderr, /^meshctl: can't reach the API server at https:\/\/127\.0\.0\.1:\d+: nothing listens there\n {2}\S.*\n$/);
  });
});
