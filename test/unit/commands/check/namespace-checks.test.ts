// The checks about the namespaces that are meshed.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { identity } from "../../../../src/commands/check/checks/identity.ts";
import { namespaces } from "../../../../src/commands/check/checks/namespaces.ts";
import type { ClusterState, KubeObject, WebhookConfiguration } from "../../../../src/commands/check/cluster-state.ts";
import { isSelected } from "../../../../src/commands/check/label-selector.ts";
import { findings, remedies } from "../../../support/check/find.ts";
import { healthyState, meshCertificates, namespace } from "../../../support/check/healthy-mesh.ts";

const healthy = healthyState(await meshCertificates());
const withNamespaces = (...all: KubeObject[]): ClusterState => ({ ...healthy, namespaces: { value: all } });

describe("meshed namespaces", () => {
  test("that enforce Pod Security above privileged refuse our pods; others may", () => {
    const enforce = (level: string): Record<string, string> => ({ "pod-security.kubernetes.io/enforce": level });
    const state = withNamespaces(
      namespace("a", { "meshctl.io/inject": "enabled", ...enforce("baseline") }),
      namespace("b", { "istio-injection": "enabled", ...enforce("restricted") }),
      namespace("c", { "meshctl.io/inject": "enabled", ...enforce("privileged") }),
      namespace("d", enforce("restricted")),
    );
    const found = findings(namespaces, "meshed namespaces let", state);
    assert.deepEqual(
      found.map((each) => /namespace (\w)/.exec(each)?.[1]),
      ["a", "b"],
    );
    assert.equal(
      remedies(namespaces, "meshed namespaces let", state)[0],
      "kubectl label --overwrite namespace a pod-security.kubernetes.io/enforce=privileged",
    );
  });

  test("that are being deleted need nothing any more", () => {
    const leaving = namespace("a", { "meshctl.io/inject": "enabled", "pod-security.kubernetes.io/enforce": "baseline" });
    const metadata = { ...leaving.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" };
    const state = withNamespaces({ ...leaving, metadata });
    assert.deepEqual(findings(namespaces, "meshed namespaces let", state), []);
    assert.deepEqual(findings(identity, "every meshed namespace", state), []);
  });

  test("say with a word that decides nothing, or by an annotation that webhooks don't see, what they want", () => {
    const state = withNamespaces(namespace("a", { "meshctl.io/inject": "yes" }), namespace("b", {}, { "linkerd.io/inject": "enabled" }));
    assert.deepEqual(findings(namespaces, "labels and", state), [
      'warning: label meshctl.io/inject="yes" of namespace a says neither yes nor no, and decides nothing',
      "warning: namespace b asks for sidecars by an annotation, linkerd.io/inject=enabled; only meshctl inject sees it, the webhook needs a label",
    ]);
    assert.deepEqual(remedies(namespaces, "labels and", state), [
      "kubectl label --overwrite namespace a meshctl.io/inject=enabled",
      "kubectl label namespace b meshctl.io/inject=enabled",
    ]);
  });

  test("belong to another mesh, too, whose webhook or ambient mode takes them", () => {
    const mutating = (name: string, domain: string, namespaceSelector: object): WebhookConfiguration => ({
      ...{ apiVersion: "admissionregistration.k8s.io/v1", kind: "MutatingWebhookConfiguration", metadata: { name } },
      webhooks: [{ name: domain, clientConfig: {}, namespaceSelector }],
    });
    const webhooks = {
      value: [
        mutating("istio-sidecar-injector", "namespace.sidecar-injector.istio.io", { matchLabels: { "istio-injection": "enabled" } }),
        mutating("linkerd-proxy-injector-webhook-config", "linkerd-proxy-injector.linkerd.io", {}),
      ],
    };
    const state = {
      ...withNamespaces(
        namespace("istios", { "istio-injection": "enabled" }),
        namespace("ours", { "meshctl.io/inject": "enabled" }),
        namespace("linkerds", { "meshctl.io/inject": "enabled" }, { "linkerd.io/inject": "enabled" }),
        namespace("ambient", { "meshctl.io/inject": "enabled", "istio.io/dataplane-mode": "ambient" }),
      ),
      webhooks,
    };
    assert.deepEqual(findings(namespaces, "no other mesh", state), [
      "error: Istio's webhook istio-sidecar-injector/namespace.sidecar-injector.istio.io injects namespace istios too: pods get two sidecars, or only Istio's",
      "error: Linkerd's webhook linkerd-proxy-injector-webhook-config/linkerd-proxy-injector.linkerd.io injects namespace linkerds too: pods get two sidecars, or only Linkerd's",
      "error: namespace ambient is in Istio's ambient mode: a node's ztunnel captures what our sidecars send",
    ]);
  });
});

test("a label selector selects as Kubernetes' do", () => {
  const expression = (operator: string, values?: string[]): object => ({
    matchExpressions: [{ key: "a", operator, ...(values === undefined ? {} : { values }) }],
  });
  for (const [selector, labels, isExpected] of [
    [undefined, {}, true],
    [{}, undefined, true],
    [{ matchLabels: { a: "1" } }, { a: "1", b: "2" }, true],
    [{ matchLabels: { a: "1" } }, { a: "2" }, false],
    [expression("In", ["1", "2"]), { a: "2" }, true],
    [expression("In", ["1"]), {}, false],
    [expression("NotIn", ["1"]), {}, true],
    [expression("NotIn", ["1"]), { a: "1" }, false],
    [expression("Exists"), { a: "" }, true],
    [expression("DoesNotExist"), { a: "" }, false],
    [expression("Later"), { a: "" }, false],
  ] as const)
    assert.equal(isSelected(selector, labels), isExpected, JSON.stringify([selector, labels]));
});
