// The webhooks as a real API server calls them: over TLS, through the Service, by the configurations that install prints.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import type { KubeObjects } from "../../src/kube/objects.ts";
import type { KubeObject } from "../../src/kube/resource-kind.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation } from "../support/kubernetes/installation.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import type { Replica } from "../support/kubernetes/installed-controller.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";
import { runMeshctl } from "../support/run-meshctl.ts";

const within = { withinMs: 30_000 };
const INJECTOR = { apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration", name: "meshctl-sidecar-injector" };
const RULE = { apiVersion: "networking.istio.io/v1", kind: "DestinationRule" };
const OWNER = { apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-7d9", uid: "0b2f7c1e-4a55-4d1a-9f3e-2f1f6f0f7a11", controller: true };

type Draft = Parameters<KubeObjects["create"]>[0];
interface PodObject extends KubeObject {
  readonly spec: { readonly initContainers?: readonly { readonly name: string }[] };
}

interface Marked {
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly message: string }[];
}

let made = 0;
const pod = (namespace: string, metadata: object = {}): Draft => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: `pod-${made++}`, namespace, ...metadata },
  spec: { containers: [{ name: "web", image: "web" }] },
});
const rule = (name: string, trafficPolicy: object): Draft => ({
  ...RULE,
  metadata: { name, namespace: "named" },
  spec: { host: "web", trafficPolicy },
});
const MISTAKE = { connectionPool: { tcp: { maxConections: 1 } } };

describe("the webhooks, called by a real API server,", () => {
  let cluster: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController;
  let replica: Replica;
  let installation: string;
  before(async () => {
    if (SKIPPED !== undefined) return;
    cluster = await RealCluster.start();
    objects = cluster.objects();
    installation = await applyInstallation(cluster);
    for (const [name, labels] of [
      ["named", { "meshctl.io/inject": "enabled" }],
      ["istio", { "istio-injection": "enabled" }],
      ["plain", {}],
    ] as const)
      await playNamespace(objects, name, labels);
    for (const name of ["kube-system", "mesh-system"]) await playNamespace(objects, name);
    controller = new InstalledController(cluster);
    replica = await controller.start();
    await controller.ready(replica);
    await controller.serve(replica);
    // The API server follows configurations and endpoints within moments.
    await eventually(() => objects.create(pod("named"), { dryRun: true }), within);
  });
  after(async () => {
    await controller?.stop();
    await cluster?.stop();
  });

  const isInjected = async (draft: Draft): Promise<boolean> =>
    ((await objects.create(draft)) as PodObject).spec.initContainers?.some((each) => each.name === "meshctl-proxy") === true;
  const bundles = async (): Promise<(string | undefined)[]> => {
    const found = (await objects.get(INJECTOR)) as unknown as { webhooks: { clientConfig: { caBundle?: string } }[] };
    return found.webhooks.map((each) => each.clientConfig.caBundle);
  };

  for (const [what, namespace, metadata, expected] of [
    ["a pod of a namespace with our label", "named", {}, true],
    ["a pod of a namespace with Istio's label", "istio", {}, true],
    ["a pod that asks for itself", "plain", { labels: { "sidecar.istio.io/inject": "true" } }, true],
    ["a pod that nobody asks for", "plain", {}, false],
    ["a pod that refuses", "named", { labels: { "sidecar.istio.io/inject": "false" } }, false],
    ["a pod of the system", "kube-system", { labels: { "sidecar.istio.io/inject": "true" } }, false],
    ["a pod of the control plane", "mesh-system", { labels: { "sidecar.istio.io/inject": "true" } }, false],
  ] as const) {
    test(`${expected ? "give" : "don't give"} ${what} a sidecar`, REAL, async () => {
      const draft = pod(namespace, metadata);
      // Pod Security asks for it there.
      const strict = { runAsNonRoot: true, runAsUser: 1, seccompProfile: { type: "RuntimeDefault" } };
      const container = { allowPrivilegeEscalation: false, capabilities: { drop: ["ALL"] } };
      const spec = { securityContext: strict, containers: [{ name: "web", image: "web", securityContext: container }] };
      assert.equal(await isInjected(namespace === "mesh-system" ? { ...draft, spec } : draft), expected);
    });
  }

  test("leave a pod that meshctl inject did as it is", REAL, async () => {
    const text = JSON.stringify(pod("named"));
    const { stdout } = await runMeshctl(["inject", "-"], { input: text });
    const sent = JSON.parse(stdout) as PodObject;
    const kept = (await objects.create(sent)) as PodObject;
    assert.deepEqual(
      kept.spec.initContainers?.map((each) => each.name),
      sent.spec.initContainers?.map((each) => each.name),
    );
  });

  test("tell of it in an event on the pod's owner, but not of a dry run", REAL, async () => {
    const owned = (): Draft => pod("named", { ownerReferences: [OWNER] });
    const events = async (): Promise<unknown[]> =>
      ((await objects.list({ apiVersion: "v1", kind: "Event" }, { namespace: "named" })) ?? []).filter(
        (each) => (each["involvedObject"] as { uid?: string }).uid === OWNER.uid,
      );
    await objects.create(owned(), { dryRun: true });
    assert.deepEqual(await events(), []);
    await objects.create(owned());
    await eventually(async () => assert.equal((await events()).length, 1), within);
    assert.doesNotMatch(replica.process.output, /forbidden/);
  });

  test("refuse mesh configuration with a mistake, by its field", REAL, async () => {
    await assert.rejects(objects.create(rule("bad", MISTAKE), { dryRun: true }), /spec\.trafficPolicy\.connectionPool\.tcp\.maxConections/);
    await objects.create(rule("good", { connectionPool: { tcp: { maxConnections: 1 } } }));
  });

  test("get their caBundle back whoever takes it away, and keep it through another apply", REAL, async () => {
    const [ours] = await bundles();
    assert.ok((await bundles()).every((each) => each !== undefined && each === ours));
    await objects.jsonPatch(INJECTOR, [{ op: "remove", path: "/webhooks/0/clientConfig/caBundle" }]);
    await eventually(async () => assert.equal((await bundles())[0], ours), within);
    const { stdout } = await cluster.kubectl(["apply", "-f", "-"], installation);
    assert.match(stdout, /meshctl-sidecar-injector unchanged/);
    assert.equal((await bundles())[0], ours);
    assert.equal(await isInjected(pod("named")), true);
  });

  test("block no pod outside the mesh while nobody answers, and mark what came through when somebody does", REAL, async () => {
    await replica.process.stop();
    await controller.serve();
    await eventually(() => assert.rejects(objects.create(pod("named"), { dryRun: true }), /failed calling webhook/), within);
    assert.equal(await isInjected(pod("plain")), false);
    await objects.create(rule("slipped", MISTAKE));
    replica = await controller.start();
    await controller.ready(replica);
    await controller.serve(replica);
    await eventually(async () => assert.equal(await isInjected(pod("named")), true), within);
    const condition = await eventually(async () => {
      const { status } = ((await objects.get({ ...RULE, namespace: "named", name: "slipped" })) ?? {}) as { status?: Marked };
      return status?.conditions[0] ?? assert.fail(`no status\n${replica.process.output}`);
    }, within);
    assert.deepEqual([condition.type, condition.status], ["Reconciled", "False"]);
    assert.match(condition.message, /maxConections/);
  });

  test("are trusted anew when the mesh has another root", REAL, async () => {
    const [old] = await bundles();
    await replica.process.stop();
    await objects.delete({ apiVersion: "v1", kind: "Secret", namespace: "mesh-system", name: "meshctl-ca" });
    const next = await controller.start();
    await controller.ready(next);
    await controller.serve(next);
    await eventually(async () => assert.notEqual((await bundles())[0], old), within);
    await eventually(async () => assert.equal(await isInjected(pod("named")), true), within);
  });
});
