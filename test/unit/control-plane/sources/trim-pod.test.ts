// What is left of a Pod is all that the mesh reads of it.
import assert from "node:assert/strict";
import { test } from "node:test";
import { reduceKubernetesObject } from "../../../../src/control-plane/ingest/kubernetes-schemas.ts";
import { trimPod } from "../../../../src/control-plane/sources/trim-pod.ts";

const POD = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name: "web-1",
    namespace: "shop",
    uid: "u1",
    labels: { app: "web", "pod-template-hash": "5d4f8" },
    ownerReferences: [{ apiVersion: "apps/v1", kind: "ReplicaSet", name: "web-5d4f8", uid: "u2", controller: true }],
  },
  spec: {
    serviceAccountName: "web",
    nodeName: "one",
    hostNetwork: false,
    volumes: [{ name: "data", emptyDir: {} }],
    initContainers: [{ name: "sidecar", image: "meshctl", ports: [{ name: "metrics", containerPort: 15090 }] }],
    containers: [{ name: "web", image: "web", env: [{ name: "A", value: "b" }], ports: [{ name: "http", containerPort: 8080 }] }],
  },
  status: { phase: "Running", podIP: "10.244.0.2", podIPs: [{ ip: "10.244.0.2" }, { ip: "fd00::2" }], conditions: [{ type: "Ready" }] },
};

for (const phase of ["Running", "Succeeded", "Failed"]) {
  test(`a ${phase} Pod means the same when it is trimmed`, () => {
    const pod = { ...POD, status: { ...POD.status, phase } };
    const trimmed = trimPod(pod);
    assert.deepEqual(reduceKubernetesObject("Pod", trimmed, "shop"), reduceKubernetesObject("Pod", pod, "shop"));
    assert.ok(!JSON.stringify(trimmed).match(/volumes|image|env|conditions/));
  });
}
