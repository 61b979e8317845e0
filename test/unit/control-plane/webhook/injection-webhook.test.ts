// Reviews of pods and what comes back: the answer, and the report for metric and event.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseReview, toReview } from "../../../../src/control-plane/webhook/admission-review.ts";
import { InjectionWebhook } from "../../../../src/control-plane/webhook/injection-webhook.ts";
import type { InjectionReport } from "../../../../src/control-plane/webhook/injection-webhook.ts";
import { workloadOf } from "../../../../src/control-plane/webhook/pod-owner.ts";
import { injectionPatch } from "../../../../src/manifests/injector.ts";
import { applyJsonPatch } from "../../../../src/manifests/json-patch.ts";
import type { ObjectMeta, PodTemplate } from "../../../../src/manifests/kube-objects.ts";
import { VALUES } from "../../../support/inject/injection-values.ts";
import { patched, podOf, reviewOf } from "../../../support/webhook/reviews.ts";
import type { ReadResponse, ReviewOptions } from "../../../support/webhook/reviews.ts";

const YES = { labels: { "meshctl.io/inject": "enabled" } };
const NO = { labels: { "meshctl.io/inject": "disabled" } };

interface Cluster {
  /** As the controller knows it. */
  readonly known?: ObjectMeta;
  /** As it is; the same by default. */
  readonly now?: ObjectMeta;
  readonly noNativeSidecars?: string;
}

async function review(
  object: unknown,
  { known, now = known, noNativeSidecars }: Cluster = {},
  options: ReviewOptions = {},
): Promise<{ response: ReadResponse; report: InjectionReport; fetched: string[] }> {
  const fetched: string[] = [];
  const webhook = new InjectionWebhook({
    values: VALUES,
    namespaces: {
      known: (name) => (name === "shop" ? known : undefined),
      fetch: (name) => Promise.resolve((fetched.push(name), now)),
    },
    noNativeSidecars: () => noNativeSidecars,
  });
  const parsed = parseReview(JSON.stringify(reviewOf(object, options)));
  assert.ok(parsed.ok);
  const { answer, report } = await webhook.review(parsed.request);
  const { response } = JSON.parse(JSON.stringify(toReview(parsed.request.uid, answer))) as { response: ReadResponse };
  assert.equal(response.uid, parsed.request.uid);
  return { response, report, fetched };
}

describe("the injection webhook", () => {
  test("answers with the injector's own patch for the workload that made the pod", async () => {
    const pod = podOf();
    const { response, report, fetched } = await review(pod, { known: YES });
    assert.deepEqual([response.allowed, response.patchType], [true, "JSONPatch"]);
    const workload = { namespace: "shop", kind: "Deployment", name: "web" };
    const expected = injectionPatch(pod as unknown as PodTemplate, workload, VALUES);
    assert.ok(expected.ok);
    assert.deepEqual(patched(pod, response), applyJsonPatch(pod, expected.value));
    assert.deepEqual(response.auditAnnotations, { decision: "injected", reason: "label meshctl.io/inject=enabled on the namespace" });
    assert.deepEqual([report.outcome, report.reason, fetched], ["injected", "namespace", []]);
  });

  test("leaves alone what inject did, and what it did itself", async () => {
    const pod = podOf();
    const once = patched(pod, (await review(pod, { known: YES })).response);
    const { response, report } = await review(once, { known: YES });
    assert.deepEqual([response.allowed, response.patch, report.reason], [true, undefined, "injected-already"]);
  });

  test("takes a copied record of an injection for no sidecar", async () => {
    const pod = podOf({ annotations: { "meshctl.io/injected": "{}" } });
    const after = patched(pod, (await review(pod, { known: YES })).response) as unknown as PodTemplate;
    assert.deepEqual(
      after.spec.initContainers?.map((each) => each.name),
      ["meshctl-init", "meshctl-proxy"],
    );
  });

  for (const [what, pod, known, reason] of [
    ["says so itself", podOf({ labels: { "sidecar.istio.io/inject": "false" } }), YES, "pod"],
    ["is on the host's network", podOf({}, { hostNetwork: true }), YES, "host-network"],
    ["is in a namespace that says no, whatever it says itself", podOf({ labels: { "meshctl.io/inject": "enabled" } }), NO, "namespace"],
    ["was never asked for", podOf(), {}, "policy"],
    ["is for Windows", podOf({}, { os: { name: "windows" } }), YES, "windows"],
    ["has Istio's sidecar", podOf({}, { initContainers: [{ name: "istio-init" }] }), YES, "other-mesh"],
  ] as const) {
    test(`lets a pod in without a sidecar that ${what}`, async () => {
      const { response, report } = await review(pod, { known });
      assert.deepEqual([response.allowed, response.patch, report.outcome, report.reason], [true, undefined, "skipped", reason]);
      assert.equal(response.auditAnnotations?.["decision"], "skipped");
    });
  }

  test("asks for the namespace as it is now before it believes that nobody wants a sidecar", async () => {
    for (const known of [undefined, {}, NO]) {
      const { response, fetched } = await review(podOf(), { known, now: YES });
      assert.notEqual(response.patch, undefined);
      assert.deepEqual(fetched, ["shop"]);
    }
  });

  test("injects a pod that asks for it where the namespace says nothing", async () => {
    for (const metadata of [
      { labels: { "sidecar.istio.io/inject": "true" } },
      { annotations: { "linkerd.io/inject": "enabled" } },
      { annotations: { "linkerd.io/inject": "ingress" } },
    ]) {
      const { response, report } = await review(podOf(metadata), { known: {} });
      assert.notEqual(response.patch, undefined);
      assert.equal(report.reason, "pod");
    }
  });

  test("refuses a pod whose annotations make no sense, and names every one", async () => {
    const annotations = {
      "traffic.sidecar.istio.io/excludeOutboundPorts": "http",
      "sidecar.istio.io/proxyCPU": "much",
      "sidecar.istio.io/nativeSidecar": "perhaps",
    };
    const { response, report } = await review(podOf({ annotations }), { known: YES });
    assert.deepEqual([response.allowed, response.status?.code, report.outcome], [false, 422, "refused"]);
    assert.match(response.status?.message ?? "", /^the pod can't have a sidecar: metadata\.annotations\["traffic/);
    for (const name of Object.keys(annotations)) assert.ok(response.status?.message.includes(name), name);
  });

  test("warns of a namespace whose Pod Security refuses the pod, and of words that decide nothing", async () => {
    const known = { labels: { ...YES.labels, "pod-security.kubernetes.io/enforce": "restricted" } };
    const { response } = await review(podOf({ labels: { "sidecar.istio.io/inject": "maybe" } }), { known });
    assert.equal(response.allowed, true);
    assert.match(response.warnings?.join("\n") ?? "", /says neither yes nor no[^]*enforces Pod Security "restricted"/);
    for (const each of response.warnings ?? []) assert.ok(each.length <= 256);
  });

  test("refuses native sidecars where Kubernetes has none, but not plain ones", async () => {
    const old = "the cluster runs Kubernetes 1.28.0; meshctl needs 1.29 or newer";
    const { response } = await review(podOf(), { known: YES, noNativeSidecars: old });
    assert.deepEqual([response.allowed, response.status?.message], [false, `the pod can't have a sidecar: ${old}`]);
    const plain = podOf({ annotations: { "sidecar.istio.io/nativeSidecar": "false" } });
    assert.equal((await review(plain, { known: YES, noNativeSidecars: old })).response.allowed, true);
  });

  test("lets pass what is no new pod", async () => {
    for (const [object, options] of [
      [podOf(), { operation: "UPDATE" }],
      [{ kind: "Binding" }, { resource: { group: "", version: "v1", resource: "bindings" } }],
      [null, { operation: "DELETE" }],
    ] as const) {
      const { response, report } = await review(object, { known: YES }, options);
      assert.deepEqual([response.allowed, response.patch, report.outcome], [true, undefined, "skipped"]);
    }
  });

  test("refuses what is no pod at all", async () => {
    const { response } = await review({ kind: "Pod", spec: {} }, { known: YES });
    assert.match(response.status?.message ?? "", /spec\.containers: is missing/);
  });
});

describe("the workload of a pod", () => {
  const owned = (kind: string, name: string, labels = {}): ObjectMeta => ({
    labels,
    ownerReferences: [{ apiVersion: "x/v1", kind, name, uid: "u", controller: true }],
  });
  for (const [what, metadata, kind, name] of [
    ["of a ReplicaSet is its Deployment", owned("ReplicaSet", "web-5d4f8", { "pod-template-hash": "5d4f8" }), "Deployment", "web"],
    ["of a ReplicaSet that stands alone is that", owned("ReplicaSet", "web-5d4f8"), "ReplicaSet", "web-5d4f8"],
    ["of a CronJob's Job is the CronJob", owned("Job", "backup-29012345"), "CronJob", "backup"],
    ["of another Job is the Job", owned("Job", "migrate-v2"), "Job", "migrate-v2"],
    ["of a StatefulSet is that", owned("StatefulSet", "db"), "StatefulSet", "db"],
    ["of nobody is the pod", { name: "debug" }, "Pod", "debug"],
    ["of nobody and without a name is called by what its name is made of", { generateName: "debug-" }, "Pod", "debug"],
  ] as const) {
    test(what, () => assert.deepEqual(workloadOf(metadata, "shop"), { namespace: "shop", kind, name }));
  }
});

describe("an admission review", () => {
  const good = reviewOf(podOf());
  for (const [what, text, expected] of [
    ["is no JSON", "{", /^the body is no JSON: /],
    ["is no object", "[]", /^the body is no JSON object/],
    ["is another kind", JSON.stringify({ ...good, kind: "Pod" }), /^wanted is an AdmissionReview of admission\.k8s\.io\/v1, not Pod/],
    ["is an old version", JSON.stringify({ ...good, apiVersion: "admission.k8s.io/v1beta1" }), /of admission\.k8s\.io\/v1beta1$/],
    ["asks nothing", JSON.stringify({ ...good, request: null }), /^request: is missing/],
    ["has no uid", JSON.stringify({ ...good, request: { operation: "CREATE" } }), /^request\.uid: is missing/],
    ["has an empty uid", JSON.stringify({ ...good, request: { uid: "", operation: "CREATE" } }), /^request\.uid: is missing/],
    ["has no operation", JSON.stringify({ ...good, request: { uid: "u" } }), /^request\.operation: is missing/],
    ["has no resource", JSON.stringify({ ...good, request: { uid: "u", operation: "CREATE" } }), /^request\.resource: is missing/],
  ] as const) {
    test(`that ${what} is told apart`, () => {
      const parsed = parseReview(text);
      assert.ok(!parsed.ok);
      assert.match(parsed.message, expected);
    });
  }
});
