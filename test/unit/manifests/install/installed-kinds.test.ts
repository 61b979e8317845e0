// The kinds by which an installation is found again: none that we ever make may be missing.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { PolicyRule } from "../../../../src/manifests/install/controller-permissions.ts";
import { controlPlaneObjects, installedCrds } from "../../../../src/manifests/install/installation.ts";
import { inDeletionOrder, INSTALLED_KINDS, superfluous } from "../../../../src/manifests/install/installed-kinds.ts";
import { resolveValues } from "../../../../src/manifests/install/profiles.ts";
import { readTemplate, templateNames } from "../../../../src/manifests/install/template-files.ts";
import type { KubeObject } from "../../../../src/manifests/kube-objects.ts";

const known = new Set(INSTALLED_KINDS.map(({ apiVersion, kind }) => `${apiVersion} ${kind}`));
const printed = (["default", "ha", "minimal"] as const).map((profile) => {
  const resolved = resolveValues([{ profile }]);
  return [...installedCrds(resolved), ...controlPlaneObjects(resolved)];
});
/** Answered and never kept, or without a label and gone by themselves. */
const LEAVE_NOTHING: ReadonlySet<string> = new Set(["events", "tokenreviews", "subjectaccessreviews"]);

const object = (apiVersion: string, kind: string, name: string, namespace?: string): KubeObject => ({
  apiVersion,
  kind,
  metadata: { name, ...(namespace === undefined ? {} : { namespace }) },
});

describe("the kinds of an installation", () => {
  test("have every kind that is printed, with every profile, and that has a template", () => {
    const objects = [...printed.flat(), ...templateNames().map((name) => readTemplate(name))];
    for (const { apiVersion, kind } of objects) assert.ok(known.has(`${apiVersion} ${kind}`), `${apiVersion} ${kind}`);
  });

  test("have every kind that the controller may create", () => {
    const plurals = new Set(INSTALLED_KINDS.map(({ kind }) => `${kind.toLowerCase()}s`));
    const roles = printed.flat().filter(({ kind }) => kind === "ClusterRole" || kind === "Role");
    const rules = roles.flatMap((each) => (each as KubeObject & { readonly rules: readonly PolicyRule[] }).rules);
    const created = rules.filter(({ verbs }) => verbs.includes("create") || verbs.includes("*")).flatMap(({ resources }) => resources);
    for (const each of created) assert.ok(plurals.has(each) || LEAVE_NOTHING.has(each), each);
  });

  test("are deleted so that nothing blocks and nothing comes back: webhooks, permissions, …, the namespace at last", () => {
    const kinds = INSTALLED_KINDS.map(({ kind }) => kind);
    assert.deepEqual(kinds.slice(0, 2).sort(), ["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"]);
    for (const made of ["ConfigMap", "Secret", "Lease"]) assert.ok(kinds.indexOf(made) > kinds.indexOf("ClusterRoleBinding"), made);
    assert.equal(kinds.at(-1), "Namespace");
    const shuffled = [object("v1", "Namespace", "m"), object("v1", "Secret", "s"), object("apps/v1", "Deployment", "d")];
    assert.deepEqual(
      inDeletionOrder(shuffled).map(({ kind }) => kind),
      ["Deployment", "Secret", "Namespace"],
    );
  });
});

describe("what a version no longer has", () => {
  const [plain = [], ha = []] = printed;

  test("is what the cluster has and it doesn't print, whatever API version the cluster says it in", () => {
    const live = ha.map((each) => (each.kind === "HorizontalPodAutoscaler" ? { ...each, apiVersion: "autoscaling/v1" } : each));
    assert.deepEqual(superfluous(live, ha), []);
    assert.deepEqual(
      superfluous(live, plain).map(({ kind, metadata }) => `${kind} ${metadata.namespace}/${metadata.name}`),
      ["HorizontalPodAutoscaler mesh-system/controller", "PodDisruptionBudget mesh-system/controller"],
    );
  });

  test("is never what the controller makes", () => {
    const made = [
      object("v1", "Secret", "meshctl-ca", "mesh-system"),
      object("v1", "ConfigMap", "meshctl-root-cert", "shop"),
      object("coordination.k8s.io/v1", "Lease", "meshctl-controller", "mesh-system"),
    ];
    assert.deepEqual(superfluous(made, plain), []);
    const old = object("v1", "ConfigMap", "of-an-older-version", "mesh-system");
    assert.deepEqual(superfluous([...made, old], plain), [old]);
  });
});
