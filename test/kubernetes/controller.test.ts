// The controller on a real API server: two replicas as the Deployment says, under exactly the roles that install gives them.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObjects } from "../../src/kube/objects.ts";
import type { KubeObject } from "../../src/kube/resource-kind.ts";
import { TypeUrl } from "../../src/xds/names.ts";
import type { AdsTestClient } from "../support/ads-test-client.ts";
import { resourceNames } from "../support/ads-test-client.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation, awaitRoots, rootsIn } from "../support/kubernetes/installation.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import type { Replica } from "../support/kubernetes/installed-controller.ts";
import { nodeOf, playPod, secureStream, sidecarToken } from "../support/kubernetes/meshed-pods.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";

const within = { withinMs: 60_000 };
const MESH = "mesh-system";
const CHECKOUT = { namespace: "shop", name: "checkout-1", serviceAccount: "checkout", address: "10.244.0.2" };
const ROOTS = { apiVersion: "v1", kind: "ConfigMap", name: "meshctl-root-cert" };
const LEASE = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", namespace: MESH, name: "meshctl-controller" };

const service = (name: string, port: number): Parameters<KubeObjects["create"]>[0] => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace: "shop" },
  spec: { ports: [{ name: "http", port }] },
});
const cluster = (name: string, port: number): string => `outbound|${port}||${name}.shop.svc.cluster.local`;

describe("the controller on a real API server", () => {
  let server: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController;
  let replicas: readonly [Replica, Replica];
  before(async () => {
    if (SKIPPED !== undefined) return;
    server = await RealCluster.start();
    objects = server.objects();
    await applyInstallation(server);
    await playNamespace(objects, "shop");
    await playPod(objects, CHECKOUT);
    controller = new InstalledController(server);
    replicas = [await controller.start(), await controller.start()];
    for (const each of replicas) await controller.ready(each);
  });
  after(async () => {
    await controller?.stop();
    await server?.stop();
  });

  const rootsOf = (namespace: string): Promise<string | undefined> => rootsIn(objects, namespace);
  async function connect(replica: Replica): Promise<AdsTestClient> {
    const roots = await awaitRoots(objects, "shop");
    const stream = secureStream(replica.process.address, await sidecarToken(server, CHECKOUT), roots);
    stream.send({ node: nodeOf(CHECKOUT), typeUrl: TypeUrl.cluster });
    return stream;
  }
  /** Takes clusters until they are as wanted. */
  async function clustersUntil(stream: AdsTestClient, isWanted: (names: readonly string[]) => boolean): Promise<void> {
    for (;;) {
      const response = await stream.next(60_000);
      stream.ack(response);
      if (isWanted(resourceNames(response))) return;
    }
  }
  /** Its pod. */
  const leader = async (): Promise<string | undefined> =>
    ((await objects.get(LEASE)) as (KubeObject & { spec: { holderIdentity: string } }) | undefined)?.spec.holderIdentity.split("_")[0];

  test("becomes ready under its own service account, and misses no permission", REAL, () => {
    for (const each of replicas) assert.doesNotMatch(each.process.output, /forbidden|"level":"(warn|error)"/);
  });

  test("agrees with a replica that started at the same time on one root, whose key is in a Secret", REAL, async () => {
    const secret = (await objects.get({ apiVersion: "v1", kind: "Secret", namespace: MESH, name: "meshctl-ca" })) as
      (KubeObject & { data: Record<string, string> }) | undefined;
    const roots = await awaitRoots(objects, "shop");
    assert.ok(Object.values(secret?.data ?? {}).some((each) => Buffer.from(each, "base64").toString().trim() === roots.trim()));
    for (const each of replicas) {
      const stream = await connect(each);
      await clustersUntil(stream, () => true);
      stream.close();
    }
    assert.equal(replicas.filter((each) => each.process.output.includes("made a new root")).length, 1);
  });

  test("publishes the roots in every namespace but the system's, and puts them right", REAL, async () => {
    const roots = await awaitRoots(objects, "default");
    assert.equal(await rootsOf("kube-system"), undefined);
    await playNamespace(objects, "late");
    await eventually(async () => assert.equal(await rootsOf("late"), roots), within);
    await objects.mergePatch({ ...ROOTS, namespace: "late" }, { data: { "root-cert.pem": "none" } });
    await eventually(async () => assert.equal(await rootsOf("late"), roots), within);
    await objects.delete({ ...ROOTS, namespace: "late" });
    await eventually(async () => assert.equal(await rootsOf("late"), roots), within);
  });

  test("tells a sidecar of a Service that comes, changes and goes", REAL, async () => {
    const stream = await connect(replicas[0]);
    const api = { apiVersion: "v1", kind: "Service", namespace: "shop", name: "api" };
    await objects.create(service("api", 80));
    await clustersUntil(stream, (names) => names.includes(cluster("api", 80)));
    await objects.jsonPatch(api, [{ op: "replace", path: "/spec/ports/0/port", value: 81 }]);
    await clustersUntil(stream, (names) => names.includes(cluster("api", 81)));
    await objects.delete(api);
    await clustersUntil(stream, (names) => !names.some((each) => each.endsWith("|api.shop.svc.cluster.local")));
    stream.close();
  });

  test("takes a burst of 1,000 Services", REAL, async () => {
    const stream = await connect(replicas[1]);
    const names = Array.from({ length: 1_000 }, (_, index) => `many-${index}`);
    const pending = [...names];
    const work = async (): Promise<void> => {
      for (let name = pending.pop(); name !== undefined; name = pending.pop()) await objects.create(service(name, 80));
    };
    await Promise.all(Array.from({ length: 8 }, work));
    await clustersUntil(stream, (found) => names.every((each) => found.includes(cluster(each, 80))));
    stream.close();
  });

  test("goes on through a restart of the API server, and makes up for what it missed", REAL, async () => {
    const stream = await connect(replicas[0]);
    await clustersUntil(stream, () => true);
    await server.stopServer();
    await eventually(
      () => assert.match(replicas[0].process.output, /can't read the cluster: .*what was read before stays in force/),
      within,
    );
    assert.equal(stream.status, undefined);
    await server.startServer();
    await objects.create(service("after", 80));
    await clustersUntil(stream, (names) => names.includes(cluster("after", 80)));
    assert.equal(stream.status, undefined);
    stream.close();
  });

  test("lets one replica lead, and another when that one goes", REAL, async () => {
    const held = await eventually(async () => (await leader()) ?? assert.fail("nobody leads"), within);
    const [going, staying] = replicas[0].name === held ? replicas : [replicas[1], replicas[0]];
    assert.equal(held, going.name);
    assert.equal(await going.process.stop("SIGTERM"), 0, going.process.output);
    await eventually(async () => assert.equal(await leader(), staying.name, staying.process.output), within);
    await playNamespace(objects, "later");
    await eventually(async () => assert.ok(await rootsOf("later")), within);
  });
});
