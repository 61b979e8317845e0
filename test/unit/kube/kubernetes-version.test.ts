// Which Kubernetes is too old for the mesh.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { describeTooOld, readKubernetesVersion } from "../../../src/kube/kubernetes-version.ts";

describe("the version of a cluster", () => {
  for (const [name, isTooOld] of [
    ["v1.28.15", true],
    ["v1.9.0", true],
    ["v1.29.0", false],
    ["v1.33.2-gke.100", false],
    ["1.30+", false],
    ["v2.0.0", false],
    ["", false],
    ["custom", false],
  ] as const)
    test(`${JSON.stringify(name)} is ${isTooOld ? "too old" : "new enough"}`, () =>
      assert.equal(readKubernetesVersion(name).isTooOld, isTooOld));

  test("that is too old is named beside the one that is needed", () =>
    assert.equal(
      describeTooOld(readKubernetesVersion("v1.28.15-eks-1")),
      "the cluster runs Kubernetes 1.28.15-eks-1; meshctl needs 1.29 or newer",
    ));
});
