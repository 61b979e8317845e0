// Which pods a real API server asks the webhooks about, by selectors and conditions as installed: without a controller, where
// being asked about means being refused, and with one. And what it makes of their answers beside patches.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { systemClock } from "../../src/common/clock.ts";
import { ApiError } from "../../src/kube/api-error.ts";
import { KubeObjects } from "../../src/kube/objects.ts";
import type { ObjectDraft } from "../../src/kube/objects.ts";
import type { KubeObject } from "../../src/kube/resource-kind.ts";
import type { ObjectMeta, PodSpec } from "../../src/manifests/kube-objects.ts";
import { eventually } from "../support/eventually.ts";
import { REAL, SKIPPED } from "../support/kubernetes/assets.ts";
import { applyInstallation } from "../support/kubernetes/installation.ts";
import { InstalledController } from "../support/kubernetes/installed-controller.ts";
import type { Replica } from "../support/kubernetes/installed-controller.ts";
import { playNamespace } from "../support/kubernetes/played-controllers.ts";
import { RealCluster } from "../support/kubernetes/real-cluster.ts";

const within = { withinMs: 30_000 };
const GROUP = "admissionregistration.k8s.io/v1";
const CONFIGURATIONS = [
  { apiVersion: GROUP, kind: "MutatingWebhookConfiguration", name: "meshctl-sidecar-injector" },
  { apiVersion: GROUP, kind: "ValidatingWebhookConfiguration", name: "meshctl-validator" },
];
const NAMESPACES: Readonly<Record<string, Record<string, string>>> = {
  meshed: { "meshctl.io/inject": "enabled" },
  istio: { "istio-injection": "enabled" },
  linkerd: { "linkerd.io/inject": "enabled" },
  silent: {},
  refusing: { "istio-injection": "disabled" },
  "kube-system": { "meshctl.io/inject": "enabled" },
};
/** What the CRD takes; our validation knows a mistake that it can't tell. */
const MISTAKEN = { hosts: ["web"], http: [{ route: [{ destination: { host: "web" } }] }], gatways: [] };

function pod(namespace: string, metadata: ObjectMeta = {}, spec: object = {}): ObjectDraft {
  const meta = { generateName: "web-", namespace, ...metadata };
  return { apiVersion: "v1", kind: "Pod", metadata: meta, spec: { containers: [{ name: "web", image: "web" }], ...spec } };
}

const labelled = (labels: Record<string, string>): ObjectMeta => ({ labels });
const annotated = (annotations: Record<string, string>): ObjectMeta => ({ annotations });

/** `asked`: the controller decides. */
const PODS: readonly (readonly [ObjectDraft, "asked" | "not asked", "meshed" | "plain"])[] = [
  [pod("meshed"), "asked", "meshed"],
  [pod("istio"), "asked", "meshed"],
  [pod("linkerd"), "asked", "meshed"],
  [pod("silent", labelled({ "meshctl.io/inject": "enabled" })), "asked", "meshed"],
  [pod("silent", labelled({ "sidecar.istio.io/inject": "true" })), "asked", "meshed"],
  [pod("silent", annotated({ "linkerd.io/inject": "enabled" })), "asked", "meshed"],
  [pod("silent", annotated({ "linkerd.io/inject": "ingress" })), "asked", "meshed"],
  [pod("istio", labelled({ "meshctl.io/inject": "enabled", "sidecar.istio.io/inject": "false" })), "asked", "meshed"],
  [pod("istio", labelled({ "meshctl.io/inject": "disabled", "sidecar.istio.io/inject": "true" })), "asked", "plain"],
  [pod("silent"), "not asked", "plain"],
  [pod("silent", labelled({ "sidecar.istio.io/inject": "yes" })), "not asked", "plain"],
  [pod("refusing", labelled({ "sidecar.istio.io/inject": "true" })), "not asked", "plain"],
  [pod("meshed", labelled({ "sidecar.istio.io/inject": "false" })), "not asked", "plain"],
  [pod("meshed", annotated({ "linkerd.io/inject": "disabled" })), "not asked", "plain"],
  [pod("meshed", {}, { hostNetwork: true }), "not asked", "plain"],
  [pod("kube-system"), "not asked", "plain"],
];

describe("the selectors of the webhooks on a real API server", () => {
  let server: RealCluster;
  let objects: KubeObjects;
  let controller: InstalledController;
  let replica: Replica;
  const warnings: string[] = [];
  before(async () => {
    if (SKIPPED !== undefined) return;
    server = await RealCluster.start();
    objects = new KubeObjects({ connection: server.connect(), clock: systemClock, onWarning: (text) => warnings.push(text) });
    await applyInstallation(server);
    for (const [name, labels] of Object.entries(NAMESPACES)) await playNamespace(objects, name, labels);
    await objects.mergePatch(
      { apiVersion: "v1", kind: "Namespace", name: "kube-system" },
      { metadata: { labels: NAMESPACES["kube-system"] } },
    );
  });
  after(async () => {
    await controller?.stop();
    await server?.stop();
  });

  const isMeshed = (made: KubeObject): boolean =>
    (made as KubeObject & { readonly spec: PodSpec }).spec.initContainers?.some((each) => each.name === "meshctl-proxy") === true;
  const route = (name: string): ObjectDraft & { readonly name: string; readonly namespace: string } => ({
    ...{ apiVersion: "networking.istio.io/v1", kind: "VirtualService", name, namespace: "meshed" },
    metadata: { name, namespace: "meshed" },
    spec: MISTAKEN,
  });
  const refusal = async (draft: ObjectDraft): Promise<string | undefined> => {
    try {
      await objects.create(draft, { dryRun: true });
      return undefined;
    } catch (error) {
      assert.ok(error instanceof ApiError);
      return error.message;
    }
  };

  test("stop a pod that may need a sidecar while no controller answers, and no other", REAL, async () => {
    for (const [draft, asked] of PODS) {
      const expected = asked === "asked" ? /failed calling webhook "[a-z-]+\.sidecar-injector\.meshctl\.io"/ : /^undefined$/;
      assert.match(String(await refusal(draft)), expected, JSON.stringify(draft.metadata));
    }
    // The control plane's own start, by Pod Security's leave.
    assert.doesNotMatch((await refusal(pod("mesh-system", labelled({ "meshctl.io/inject": "enabled" })))) ?? "", /webhook/);
    // A policy of Ignore: it is marked later.
    await objects.create(route("slipped"));
  });

  test("leave the decision to the controller once it is there", REAL, async () => {
    controller = new InstalledController(server);
    replica = await controller.start();
    await controller.ready(replica);
    await controller.serve(replica);
    await eventually(() => objects.create(pod("meshed"), { dryRun: true }), within);
    for (const [draft, , expected] of PODS)
      assert.equal(isMeshed(await objects.create(draft, { dryRun: true })), expected === "meshed", JSON.stringify(draft.metadata));
  });

  test("let a person hear what is wrong with a pod's annotations", REAL, async () => {
    assert.match(
      (await refusal(pod("meshed", annotated({ "sidecar.istio.io/proxyCPU": "much" })))) ?? "",
      /denied the request: the pod can't have a sidecar: metadata\.annotations\["sidecar\.istio\.io\/proxyCPU"\]: "much"/,
    );
  });

  test("let an object that slipped through be labelled, and go", REAL, async () => {
    await eventually(async () => assert.ok((await objects.get(route("slipped")))?.["status"]), within);
    assert.match((await refusal(route("next"))) ?? "", /"config\.validator\.meshctl\.io" denied the request: spec\.gatways: unknown field/);
    await objects.mergePatch(route("slipped"), { metadata: { labels: { a: "b" } } });
    await assert.rejects(objects.mergePatch(route("slipped"), { spec: { gatewys: [] } }), /gatewys/);
    assert.equal(await objects.delete(route("slipped")), true);
  });

  test("warn whoever makes an object of a kind that has no effect, and the log says so, too", REAL, async () => {
    const names = { kind: "Gateway", listKind: "GatewayList", plural: "gateways", singular: "gateway" };
    const schema = { openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true } };
    await objects.create({
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "gateways.networking.istio.io" },
      spec: { group: "networking.istio.io", scope: "Namespaced", names, versions: [{ name: "v1", served: true, storage: true, schema }] },
    });
    const gateway = { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "edge", namespace: "meshed" }, spec: {} };
    await eventually(() => objects.create(gateway), within);
    assert.match(warnings.join("\n"), /Gateway meshed\/edge has no effect in this mesh: kind: Gateway is not supported yet/);
    assert.match(replica.process.output, /it has no effect in this mesh/);
  });

  test("leave the caBundle to one owner", REAL, async () => {
    for (const name of CONFIGURATIONS) {
      const { managedFields } = (await objects.get(name))!.metadata as unknown as {
        managedFields: readonly { manager: string; operation: string; fieldsV1: unknown }[];
      };
      const owners = managedFields.filter((each) => JSON.stringify(each.fieldsV1).includes("f:caBundle"));
      assert.deepEqual(
        owners.map(({ manager, operation }) => [manager, operation]),
        [["meshctl-controller-webhook", "Apply"]],
      );
    }
  });
});
