// Who manages a field, and what an apply does about it.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { adoption, foreignConflicts, isConflict } from "../../../../src/commands/install/apply/field-ownership.ts";
import { withoutAbandoned } from "../../../../src/commands/install/apply/last-applied.ts";
import { ApiError } from "../../../../src/kube/api-error.ts";
import type { KubeObject } from "../../../../src/kube/resource-kind.ts";

function live(metadata: Readonly<Record<string, unknown>>, spec: unknown = {}): KubeObject {
  return { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "controller", resourceVersion: "7", ...metadata }, spec };
}

function conflict(manager: string, field: string): { reason: string; message: string; field: string } {
  return { reason: "FieldManagerConflict", message: `conflict with "${manager}" using apps/v1`, field };
}

describe("a refused apply", () => {
  test("names each field and its manager, but for what kubectl applied of our own output", () => {
    const causes = [conflict("kubectl-edit", ".spec.replicas"), conflict("kubectl-client-side-apply", ".spec.paused")];
    const error = new ApiError(409, "Conflict", "Apply failed with 2 conflicts", undefined, causes);
    assert.equal(isConflict(error), true);
    assert.deepEqual(foreignConflicts(error), [{ manager: "kubectl-edit", field: ".spec.replicas" }]);
  });

  test("because somebody was faster is no conflict of fields", () => {
    assert.equal(isConflict(new ApiError(409, "Conflict", "the object has been modified")), false);
  });
});

describe("adopting what kubectl applied", () => {
  const kubectl = { manager: "kubectl-client-side-apply", operation: "Update", fieldsV1: { "f:spec": { "f:replicas": {} } } };
  const other = { manager: "kube-controller-manager", operation: "Update", subresource: "status", fieldsV1: { "f:status": {} } };

  test("makes its fields ours beside those that are already, as long as nobody changes the object", () => {
    const own = { manager: "meshctl", operation: "Apply", fieldsV1: { "f:spec": { "f:paused": {} } } };
    assert.deepEqual(adoption(live({ managedFields: [kubectl, own, other] })), [
      {
        op: "replace",
        path: "/metadata/managedFields",
        value: [other, { ...own, fieldsV1: { "f:spec": { "f:replicas": {}, "f:paused": {} } } }],
      },
      { op: "replace", path: "/metadata/resourceVersion", value: "7" },
    ]);
  });

  test("is nothing to do where kubectl applied nothing", () => {
    assert.equal(adoption(live({ managedFields: [{ ...kubectl, manager: "kubectl-edit" }, other] })), undefined);
    assert.equal(adoption(live({})), undefined);
  });
});

describe("what kubectl applied last time and is left out now", () => {
  const before = {
    metadata: { labels: { a: "1", b: "2" } },
    spec: { nodeSelector: { disk: "ssd" }, containers: [{ name: "one", image: "i", tty: true }, { name: "two" }] },
  };
  const annotations = { "kubectl.kubernetes.io/last-applied-configuration": JSON.stringify(before) };
  const answer = live(
    { labels: { a: "1", b: "2", mine: "3" }, annotations },
    { ...before.spec, replicas: 1, containers: [{ name: "one", image: "j", tty: true, stdin: false }, { name: "two" }, { name: "three" }] },
  );

  test("goes, and what the server or others have set stays", () => {
    const next = { metadata: { labels: { a: "1" } }, spec: { containers: [{ name: "one", image: "j" }] } };
    const { metadata, ...rest } = withoutAbandoned(answer, next, answer);
    assert.deepEqual((metadata as { labels?: unknown }).labels, { a: "1", mine: "3" });
    assert.deepEqual(rest["spec"], { replicas: 1, containers: [{ name: "one", image: "j", stdin: false }, { name: "three" }] });
  });

  test("is nothing without kubectl's annotation, or with one that is no JSON", () => {
    for (const each of [undefined, { "kubectl.kubernetes.io/last-applied-configuration": "{" }]) {
      const object = live({ annotations: each }, before.spec);
      assert.equal(withoutAbandoned(object, {}, object), object);
    }
  });
});
