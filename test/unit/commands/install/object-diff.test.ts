// What is shown of a change to an object.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { objectDiff } from "../../../../src/commands/install/apply/object-diff.ts";

const live = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: {
    name: "controller",
    namespace: "mesh-system",
    uid: "1",
    resourceVersion: "5",
    generation: 2,
    creationTimestamp: "2026-01-01T00:00:00Z",
    annotations: { "deployment.kubernetes.io/revision": "2", "kubectl.kubernetes.io/last-applied-configuration": "{}" },
    managedFields: [],
  },
  spec: { replicas: 1 },
  status: { readyReplicas: 1 },
};

describe("the diff of an object", () => {
  test("is empty where only the API server's own fields differ", () => {
    const next = { ...live, metadata: { name: "controller", namespace: "mesh-system" }, status: { readyReplicas: 0 } };
    assert.equal(objectDiff(live, next, "meshctl 0.2.0"), "");
  });

  test("names the object and where each side is from", () => {
    const diff = objectDiff(live, { ...live, spec: { replicas: 2 } }, "meshctl 0.2.0");
    assert.equal(
      diff,
      [
        "--- Deployment mesh-system/controller (in the cluster)",
        "+++ Deployment mesh-system/controller (meshctl 0.2.0)",
        "@@ -4,4 +4,4 @@",
        "   name: controller",
        "   namespace: mesh-system",
        " spec:",
        "-  replicas: 1",
        "+  replicas: 2",
        "",
      ].join("\n"),
    );
  });

  test("keeps a person's annotations", () => {
    const metadata = { ...live.metadata, annotations: { ...live.metadata.annotations, team: "b" } };
    assert.match(objectDiff(live, { ...live, metadata }, "x"), /^\+ {2}annotations:\n\+ {4}team: b$/m);
  });

  test("of a new object is the whole of it", () => {
    const diff = objectDiff(undefined, { apiVersion: "v1", kind: "Namespace", metadata: { name: "mesh-system" } }, "meshctl 0.2.0");
    assert.match(diff, /^--- \/dev\/null\n\+\+\+ Namespace mesh-system \(meshctl 0\.2\.0\)\n@@ -0,0 \+1,4 @@\n\+apiVersion: v1\n/);
  });
});
