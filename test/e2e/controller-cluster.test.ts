// Controllers and sidecars of a cluster as real processes, against the API server double: who gets a certificate, who is
// refused, which replica leads, and what happens when one goes.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/common/clock.ts";
import { KubeObjects } from "../../src/kube/objects.ts";
import { ClusterConnection } from "../../src/kube/cluster-connection.ts";
import { ApiFailure } from "../support/api-server/api-status.ts";
import { ClusterMesh } from "../support/cluster-mesh.ts";
import type { ClusterProcess, ControllerProcess } from "../support/cluster-mesh.ts";
import { eventually } from "../support/eventually.ts";
import { enterOwnNetwork } from "../support/kubernetes/own-network.ts";

const isRoot = process.getuid?.() === 0;
const POD = { apiVersion: "v1", kind: "Pod", metadata: { name: "web-1", namespace: "shop" }, spec: { serviceAccountName: "web" } };
const slow = { withinMs: 60_000 };

describe("controllers of a cluster", { skip: isRoot ? false : "needs root for namespaces" }, () => {
  let mesh: ClusterMesh;
  let objects: KubeObjects;
  let connection: ClusterConnection;
  let controllers: ControllerProcess[];
  let sidecar: ClusterProcess;
  let rootPem: string;
  let podUid: string;

  before(async () => {
    // The sidecar's ports are always the same.
    enterOwnNetwork();
    mesh = new ClusterMesh();
    await mesh.start();
    connection = new ClusterConnection();
    connection.loadFromString(mesh.api.kubeconfig());
    objects = new KubeObjects({ connection, clock: systemClock });
    for (const name of ["shop", "bank", "kube-system", "mesh-system"])
      mesh.api.create({ apiVersion: "v1", kind: "Namespace", metadata: { name } });
    podUid = mesh.api.create(POD).metadata.uid;
    mesh.api.reviews.set("TokenReview", ({ token, audiences }) => ({
      authenticated: token === "token-of-web-1",
      audiences,
      user: {
        username: "system:serviceaccount:shop:web",
        extra: { "authentication.kubernetes.io/pod-name": ["web-1"], "authentication.kubernetes.io/pod-uid": [podUid] },
      },
    }));
    const flags = ["--tls-san", "127.0.0.1", "--log-level", "debug"];
    controllers = await Promise.all([mesh.controller(...flags), mesh.controller(...flags)]);
    mesh.endpoints = controllers.map((each) => each.securePort);
  });
  after(async () => {
    connection?.close();
    await mesh?.stop();
  });

  const bundles = async (): Promise<Map<string, string>> => {
    const found = (await objects.list({ apiVersion: "v1", kind: "ConfigMap" }, { fieldSelector: "metadata.name=meshctl-root-cert" })) ?? [];
    return new Map(found.map((each) => [each.metadata.namespace!, (each["data"] as Record<string, string>)["root-cert.pem"]!]));
  };
  const holder = async (): Promise<string> => {
    const lease = await objects.get({
      ...{ apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: "mesh-system", name: "meshctl-controller" },
    });
    return (lease?.["spec"] as { holderIdentity?: string } | undefined)?.holderIdentity ?? "";
  };
  const monitoring = async ({ monitoringPort }: ControllerProcess, path: string): Promise<Response> =>
    fetch(`http://127.0.0.1:${monitoringPort}${path}`);
  const isReady = async (): Promise<number> => (await fetch("http://127.0.0.1:15021/healthz/ready")).status;
  const proxiesOf = async (each: ControllerProcess): Promise<number> =>
    ((await (await monitoring(each, "/debug/syncz")).json()) as unknown[]).length;

  test("agree on one root, and one of them puts it into every namespace but the system's", async () => {
    await eventually(async () => assert.deepEqual([...(await bundles()).keys()].sort(), ["bank", "mesh-system", "shop"]), slow);
    const found = await bundles();
    assert.equal(new Set(found.values()).size, 1);
    rootPem = found.get("shop")!;
    const secret = await objects.get({ apiVersion: "v1", kind: "Secret", namespace: "mesh-system", name: "meshctl-ca" });
    const kept = Buffer.from((secret!["data"] as Record<string, string>)["root-cert.pem"]!, "base64").toString();
    assert.equal(new X509Certificate(rootPem).fingerprint256, new X509Certificate(kept).fingerprint256);
    assert.equal(controllers.filter((each) => / leads: writes statuses/.test(each.log)).length, 1);
  });

  test("give a sidecar with its pod's token a certificate and its configuration", async () => {
    sidecar = mesh.sidecar({ pod: "web-1", namespace: "shop", serviceAccount: "web", token: "token-of-web-1", rootPem });
    await sidecar.logs(/certificate for spiffe:\/\/cluster\.local\/ns\/shop\/sa\/web is valid until/);
    await eventually(async () => assert.equal(await isReady(), 200), slow);
  });

  test("send a sidecar to the other replica when one is told to end, and the Lease moves at once", async () => {
    const before = await holder();
    const [leaving, staying] = controllers[0]!.log.includes(" leads: ") ? controllers : [...controllers].reverse();
    // Onto the one that is to end.
    mesh.endpoints = [leaving!.securePort];
    if ((await proxiesOf(leaving!)) === 0) {
      await sidecar.end("SIGTERM");
      sidecar = mesh.sidecar({ pod: "web-1", namespace: "shop", serviceAccount: "web", token: "token-of-web-1", rootPem });
    }
    await eventually(async () => assert.equal(await proxiesOf(leaving!), 1), slow);
    mesh.endpoints = [staying!.securePort];
    leaving!.child.kill("SIGTERM");
    await eventually(async () => assert.equal((await monitoring(leaving!, "/ready")).status, 503), slow);
    await eventually(async () => assert.equal(await proxiesOf(staying!), 1), slow);
    assert.equal(await leaving!.exit, 0);
    await staying!.logs(/ leads: writes statuses/);
    assert.notEqual(await holder(), before);
    assert.match(sidecar.log, /ended by the control plane/);
    assert.equal(await isReady(), 200);
    controllers = [staying!];
  });

  test("keep the sidecar ready when all of them are gone", async () => {
    await controllers[0]!.end("SIGKILL");
    await eventually(() => assert.match(sidecar.log, /connection closed by the peer|broke|reset/), slow);
    assert.equal(await isReady(), 200);
  });

  test("take over from a leader that was killed, with the same root, and know the sidecar by its certificate", async () => {
    const before = await holder();
    const review = mesh.api.reviews.get("TokenReview")!;
    mesh.api.reviews.set("TokenReview", () => {
      throw new ApiFailure(500, "InternalError", "etcd is away");
    });
    const next = await mesh.controller("--tls-san", "127.0.0.1");
    mesh.endpoints = [next.securePort];
    await next.logs(/ leads: writes statuses/);
    assert.notEqual(await holder(), before);
    await eventually(async () => assert.equal(await proxiesOf(next), 1), slow);
    await next.logs(/sidecars' tokens can't be checked: etcd is away/);
    mesh.api.reviews.set("TokenReview", review);
    assert.equal((await bundles()).get("shop"), rootPem);
    controllers = [next];
  });

  test("refuse a sidecar that claims another namespace, and one whose token nobody knows", async () => {
    await sidecar.end("SIGTERM");
    const claiming = mesh.sidecar({ pod: "web-1", namespace: "bank", serviceAccount: "web", token: "token-of-web-1", rootPem });
    await claiming.logs(/the caller is service account shop\/web, the node claims bank\/web/);
    await controllers[0]!.logs(/proxy refused .*the caller is service account shop\/web, the node claims bank\/web/);
    assert.equal(await isReady(), 503);
    await claiming.end();
    const unknown = mesh.sidecar({ pod: "web-1", namespace: "shop", serviceAccount: "web", token: "made-up", rootPem });
    await unknown.logs(/no certificate from the CA: .*token refused: the API server doesn't know it/);
    await controllers[0]!.logs(/proxy not authenticated .*token refused/);
    assert.equal(await isReady(), 503);
    const metrics = await (await monitoring(controllers[0]!, "/metrics")).text();
    assert.match(metrics, /^meshctl_xds_refused_total\{reason="permission_denied"\} [1-9]/m);
    assert.match(metrics, /^meshctl_xds_refused_total\{reason="unauthenticated"\} [1-9]/m);
    assert.match(metrics, /^meshctl_token_reviews_total\{result="refused"\} [1-9]/m);
  });
});
