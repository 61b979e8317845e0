// The webhook configurations: their selectors against the decision of `meshctl inject`, and what they may never match.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { decideInjection } from "../../../../src/manifests/injection-decision.ts";
import { resolveValues } from "../../../../src/manifests/install/profiles.ts";
import { webhookConfigurations } from "../../../../src/manifests/install/webhook-configurations.ts";
import type { SelectorTerm, Webhook, WebhookConfiguration } from "../../../../src/manifests/install/webhook-configurations.ts";

type Labels = Readonly<Record<string, string>>;

const configurations = (namespace = "mesh-system", failurePolicy: "Fail" | "Ignore" = "Fail"): readonly WebhookConfiguration[] =>
  webhookConfigurations(resolveValues([{ namespace, webhook: { failurePolicy } }]).values);
const [injector, validator] = configurations() as [WebhookConfiguration, WebhookConfiguration];

/** As the API server: NotIn matches what has no such label. */
function matches({ key, operator, values }: SelectorTerm, labels: Labels): boolean {
  const value = labels[key];
  if (operator === "In") return value !== undefined && values.includes(value);
  assert.equal(operator, "NotIn");
  return value === undefined || !values.includes(value);
}

const called = (name: string, labels: Labels, { webhooks } = injector): Webhook[] =>
  webhooks.filter(({ namespaceSelector }) =>
    (namespaceSelector.matchExpressions ?? []).every((each) => matches(each, { ...labels, "kubernetes.io/metadata.name": name })),
  );

const WORDS = [undefined, "enabled", "true", "ingress", "disabled", "false", "maybe", ""];
const namespaces: Labels[] = WORDS.flatMap((ours) =>
  WORDS.flatMap((istio) =>
    WORDS.map((linkerd) =>
      Object.fromEntries(
        Object.entries({ "meshctl.io/inject": ours, "istio-injection": istio, "linkerd.io/inject": linkerd }).filter(
          (each): each is [string, string] => each[1] !== undefined,
        ),
      ),
    ),
  ),
);

describe("the injection webhooks", () => {
  test("have a namespace each where its labels say yes, and none where they say no", () => {
    for (const labels of namespaces) {
      const decision = decideInjection({ spec: { containers: [] } }, "shop", { labels }, "disabled");
      const names = called("shop", labels).map((each) => each.name);
      const context = JSON.stringify(labels);
      if (decision.decidedBy === "policy") assert.deepEqual(names, ["pod.sidecar-injector.meshctl.io"], context);
      else if (decision.inject) assert.match(names.join(), /^namespace[^,]*$/, context);
      else assert.deepEqual(names, [], context);
    }
  });

  test("never match system namespaces and the control plane's, whatever their labels", () => {
    for (const own of ["mesh-system", "other"]) {
      const [configuration] = configurations(own);
      for (const name of ["kube-system", "kube-public", "kube-node-lease", "local-path-storage", own])
        for (const labels of namespaces) assert.deepEqual(called(name, labels, configuration), [], `${name} ${JSON.stringify(labels)}`);
    }
  });

  test("ask the controller's Service, briefly, and without effects on dry runs", () => {
    for (const own of ["mesh-system", "other"]) {
      for (const { webhooks } of configurations(own))
        for (const { clientConfig, timeoutSeconds, admissionReviewVersions, matchPolicy, sideEffects } of webhooks) {
          assert.deepEqual(
            [clientConfig.service.name, clientConfig.service.namespace, clientConfig.service.port],
            ["controller", own, 443],
          );
          assert.deepEqual([timeoutSeconds, admissionReviewVersions, matchPolicy], [5, ["v1"], "Equivalent"]);
          assert.ok(sideEffects === "None" || sideEffects === "NoneOnDryRun");
        }
    }
  });

  test("fail closed, or open where the values say so; the validation never stops anybody", () => {
    const policies = (all: readonly WebhookConfiguration[]): string[][] =>
      all.map(({ webhooks }) => [...new Set(webhooks.map((each) => each.failurePolicy))]);
    assert.deepEqual(policies(configurations()), [["Fail"], ["Ignore"]]);
    assert.deepEqual(policies(configurations("mesh-system", "Ignore")), [["Ignore"], ["Ignore"]]);
  });

  test("have no caBundle, which is the controller's", () => {
    assert.doesNotMatch(JSON.stringify([injector, validator]), /caBundle/);
  });
});
