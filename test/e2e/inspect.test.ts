// The inspecting commands on a real mesh: what they print is what the sidecars and the control plane hold.
import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { after, before, describe, test } from "node:test";
import { findMesh } from "../../src/local/run-folder.ts";
import { eventually } from "../support/eventually.ts";
import { runMeshctl, type MeshctlResult } from "../support/run-meshctl.ts";
import { cells } from "../support/table-cells.ts";

const ROOT = resolve(import.meta.dirname, "../..");
const MESH = `inspect-${process.pid}`;
const SA = "spiffe://cluster.local/ns/shop/sa/";

async function meshctl(...args: string[]): Promise<MeshctlResult> {
  return runMeshctl(args, { timeoutMs: 90_000 });
}

async function ok(...args: string[]): Promise<string> {
  const result = await meshctl(...args);
  assert.equal(result.code, 0, result.stderr + result.stdout);
  return result.stdout;
}

async function json<T>(...args: string[]): Promise<T> {
  return JSON.parse(await ok(...args, "-o", "json")) as T;
}

const skip = process.getuid?.() === 0 ? false : "needs root for network namespaces";

describe("inspecting a local mesh", { skip }, () => {
  before(async () => {
    await ok("local", "up", "--detach", "--name", MESH, "--publish", "frontend:80:0");
  });
  after(async () => {
    await meshctl("local", "down", "--name", MESH);
  });

  async function call(count: number): Promise<void> {
    const port = findMesh(MESH)!.published[0]!.hostPort;
    for (let sent = 0; sent < count; sent++) {
      const response = await eventually(() => fetch(`http://127.0.0.1:${port}/`), { withinMs: 5000 });
      const body = await response.text();
      assert.equal(response.status, 200, body);
    }
  }

  test("proxy-status shows every sidecar in step, and one against what the control plane would send it", async () => {
    const [header, ...rows] = cells(await ok("proxy-status", "--mesh", MESH));
    assert.deepEqual(header, ["NAME", "CLUSTER", "CDS", "LDS", "EDS", "RDS", "ECDS", "ISTIOD", "VERSION"]);
    assert.equal(rows.filter(([name]) => name!.endsWith(".shop")).length, 4);
    for (const row of rows) assert.deepEqual(row.slice(2, 8), ["SYNCED", "SYNCED", "SYNCED", "SYNCED", "IGNORED", "controller"]);
    assert.match(
      await ok("ps", "checkout", "--mesh", MESH),
      /^Clusters Match\nListeners Match\nRoutes Match \(RDS last loaded at 20.*Z\)\n$/,
    );
  });

  test("version counts the sidecars", async () => {
    const [, controlPlane, dataPlane] = (await ok("version", "--mesh", MESH)).trimEnd().split("\n");
    assert.match(controlPlane!, /^control plane version: \S+ \(1 replica\)$/);
    assert.match(dataPlane!, /^data plane version: \S+ \(5 proxies\)$/);
  });

  test("proxy-config shows the clusters, routes and endpoints that the shop's YAML asks for", async () => {
    const clusters = cells(await ok("pc", "cluster", "checkout", "--name", MESH, "--fqdn", "payments"));
    assert.deepEqual(clusters, [
      ["SERVICE FQDN", "PORT", "SUBSET", "DIRECTION", "TYPE", "DESTINATION RULE"],
      ["payments.shop.svc.cluster.local", "80", "-", "outbound", "EDS", "payments.shop"],
      ["payments.shop.svc.cluster.local", "80", "v1", "outbound", "EDS", "payments.shop"],
      ["payments.shop.svc.cluster.local", "80", "v2", "outbound", "EDS", "payments.shop"],
    ]);
    const routes = cells(await ok("pc", "route", "deploy/checkout.shop", "--mesh", MESH, "--name", "80"));
    assert.ok(
      routes.some((row) => row[1] === "payments.shop.svc.cluster.local:80" && row.at(-1) === "payments.shop"),
      JSON.stringify(routes),
    );
    const endpoints = cells(
      await ok("pc", "ep", "svc/checkout", "--name", MESH, "--cluster", "outbound|80||payments.shop.svc.cluster.local"),
    );
    const payments = findMesh(MESH)!.pods.filter((pod) => pod.labels["app"] === "payments");
    assert.deepEqual(
      endpoints.slice(1).map((row) => row.slice(0, 3)),
      payments.map((pod) => [`${pod.ip}:8080`, "HEALTHY", "OK"]).sort(),
    );
  });

  test("proxy-config shows listeners, secrets and the bootstrap", async () => {
    const listeners = cells(await ok("pc", "listener", "frontend", "--name", MESH));
    for (const port of ["15001", "15006"])
      assert.ok(
        listeners.some((row) => row[1] === port),
        `no listener on ${port}`,
      );
    const secrets = cells(await ok("pc", "secret", "frontend", "--name", MESH));
    assert.deepEqual(
      secrets
        .slice(1)
        .map((row) => row.slice(0, 4))
        .filter((row, index, all) => index === 0 || row[0] !== all[index - 1]![0]),
      [
        ["default", "Cert Chain", "ACTIVE", "true"],
        ["ROOTCA", "CA", "ACTIVE", "true"],
      ],
    );
    const { bootstrap } = await json<{ bootstrap: { node: { id: string } } }>("pc", "bootstrap", "frontend", "--name", MESH);
    assert.match(bootstrap.node.id, /^sidecar~[0-9.]+~frontend-[^~]+\.shop~shop\.svc\.cluster\.local$/);
    assert.match(await ok("pc", "b", "frontend", "--name", MESH, "-o", "short"), /^Meshctl Proxy Version: \d+\.\d+\.\d+\n$/);
  });

  test("stats counts the requests of its window and no others", async () => {
    await call(3);
    const quiet = await json<{ requests: number; success: number | null }[]>("stats", "checkout", "--name", MESH, "--window", "200ms");
    assert.deepEqual(
      quiet.map((row) => row.requests),
      [0, 0],
    );
    const measuring = json<Record<string, unknown>[]>("stats", "checkout", "--name", MESH, "--window", "1s");
    let isOver = false;
    void measuring.finally(() => (isOver = true)).catch(() => {});
    let sent = 0;
    for (; !isOver; sent++) await call(1);
    const [inbound, payments] = await measuring;
    assert.deepEqual([inbound!["name"], inbound!["meshed"], inbound!["success"]], ["inbound", "1/1", 1]);
    assert.deepEqual([payments!["name"], payments!["meshed"], payments!["success"]], ["payments.shop", "2/2", 1]);
    assert.ok((payments!["requests"] as number) > 0 && (payments!["requests"] as number) <= sent);
    const table = cells(await ok("stats", "checkout", "--name", MESH, "--since-start"));
    assert.deepEqual(table[0], ["NAME", "MESHED", "SUCCESS", "RPS", "LATENCY_P50", "LATENCY_P95", "LATENCY_P99", "TCP_CONN"]);
    assert.equal(table[2]![0], "outbound/payments.shop");
  });

  test("stats --raw prints the sidecar's statistics that match", async () => {
    const raw = await ok("stats", "checkout", "--name", MESH, "--raw", "--filter", "^cluster\\.outbound.*payments.*upstream_rq_total$");
    for (const line of raw.trimEnd().split("\n")) assert.match(line, /^cluster\.outbound\|80\|.*payments.*\.upstream_rq_total: \d+$/);
    const refused = await meshctl("stats", "checkout", "--name", MESH, "--raw", "--filter", "(");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /400/);
    const metrics = await ok("stats", "checkout", "--name", MESH, "--raw", "--filter", "istio_requests_total");
    assert.match(metrics, /source_cluster\.local/);
    for (const [, cluster] of metrics.matchAll(/(?:source|destination)_cluster\.([^.]*)/g)) assert.equal(cluster, "local");
  });

  test("tls-check shows who must prove what, on both its names", async () => {
    const check = await json<{
      identity: string;
      services: {
        host: string;
        port: number;
        subset: string | null;
        status: string;
        server: string;
        client: string;
        authnPolicy: string;
        serverIdentities: string[];
      }[];
      certificates: { kind: string; daysLeft: number }[];
    }>("tls-check", "frontend", "checkout", "--name", MESH);
    assert.equal(check.identity, `${SA}frontend`);
    assert.equal(check.services.length, 1);
    const [checkout] = check.services;
    assert.deepEqual([checkout!.host, checkout!.port, checkout!.status], ["checkout.shop.svc.cluster.local", 80, "OK"]);
    assert.deepEqual([checkout!.server, checkout!.client], ["STRICT", "ISTIO_MUTUAL"]);
    assert.match(checkout!.authnPolicy, /default/);
    assert.deepEqual(checkout!.serverIdentities, [`${SA}checkout`]);
    const workload = check.certificates.find((each) => each.kind === "workload");
    const root = check.certificates.find((each) => each.kind === "root");
    assert.ok(workload!.daysLeft > 0.4 && workload!.daysLeft <= 1, `${workload?.daysLeft}`);
    assert.ok(root!.daysLeft > 30, `${root?.daysLeft}`);
    assert.equal(
      await ok("authn", "tls-check", "frontend", "checkout", "--name", MESH),
      await ok("tls-check", "frontend", "checkout", "--name", MESH),
    );
  });

  test("an unknown workload or service is answered with what there is", async () => {
    const workload = await meshctl("pc", "c", "chekout", "--name", MESH);
    assert.equal(workload.code, 1);
    assert.match(workload.stderr, /no pod, owner or Service named chekout\n {2}did you mean checkout\?/);
    const closed = await meshctl("tls-check", "frontend", "payments:81", "--name", MESH);
    assert.deepEqual([closed.code, closed.stderr], [1, "meshctl: service payments has no port 81\n  its ports: 80\n"]);
    const service = await meshctl("tls-check", "frontend", "paiments", "--name", MESH);
    assert.equal(service.code, 1);
    assert.match(service.stderr, /knows no service paiments\n {2}did you mean payments\?/);
    const mesh = await meshctl("stats", "checkout", "--name", "no-such-mesh");
    assert.equal(mesh.code, 1);
    assert.match(mesh.stderr, /no local mesh named no-such-mesh is running/);
    const port = await meshctl("pc", "c", "checkout", "--name", MESH, "--proxy-admin-port", "1");
    assert.equal(port.code, 1);
    assert.match(port.stderr, /cannot reach port 1 of pod checkout-/);
  });
});

describe("tls-check where policies disagree", { skip }, () => {
  const name = `conflict-${process.pid}`;
  let folder = "";
  before(async () => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-conflict-"));
    cpSync(join(ROOT, "samples/shop"), folder, { recursive: true });
    writeFileSync(join(folder, "disagreement.yaml"), DISAGREEMENT);
    await ok("local", "up", "--detach", "--name", name, "-f", folder);
  });
  after(async () => {
    await meshctl("local", "down", "--name", name);
    rmSync(folder, { recursive: true, force: true });
  });

  test("tells a conflict from plaintext that works, names who decides, and exits with 1", async () => {
    const result = await meshctl("tls-check", "frontend", "--name", name);
    assert.equal(result.code, 1);
    const [services, proofs] = result.stdout.split("\n\n").map(cells);
    assert.deepEqual(services!.slice(0, 4), [
      ["HOST:PORT", "STATUS", "SERVER", "CLIENT", "AUTHN POLICY", "DESTINATION RULE"],
      ["checkout.shop.svc.cluster.local:80", "CONFLICT", "STRICT", "DISABLE", "default/shop", "checkout-plain/shop"],
      ["frontend.shop.svc.cluster.local:80", "OK", "STRICT", "ISTIO_MUTUAL (auto)", "default/shop", "-"],
      ["payments.shop.svc.cluster.local:80", "PLAINTEXT", "DISABLE", "DISABLE (auto)", "payments-open/shop", "payments/shop"],
    ]);
    assert.deepEqual(proofs!.slice(1), [["frontend.shop.svc.cluster.local:80", `${SA}frontend`]]);
    assert.equal((await meshctl("tls-check", "frontend", "payments", "--name", name)).code, 0);
  });
});

const DISAGREEMENT = `
apiVersion: networking.istio.io/v1
kind: DestinationRule
metadata: { name: checkout-plain, namespace: shop }
spec:
  host: checkout
  trafficPolicy: { tls: { mode: DISABLE } }
---
apiVersion: security.istio.io/v1
kind: PeerAuthentication
metadata: { name: payments-open, namespace: shop }
spec:
  selector: { matchLabels: { app: payments } }
  mtls: { mode: DISABLE }
`;
