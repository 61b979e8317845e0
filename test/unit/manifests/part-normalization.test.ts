// What an API server adds to a part of ours makes no other part of it; what a person changes does.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { normalizePart } from "../../../src/manifests/part-normalization.ts";

const TOKEN = { name: "kube-api-access-x7k2p", mountPath: "/var/run/secrets/kubernetes.io/serviceaccount", readOnly: true };
const OURS = { name: "meshctl-token", mountPath: "/var/run/secrets/tokens", readOnly: true };

const same = (before: unknown, after: unknown): void => assert.deepEqual(normalizePart(after), normalizePart(before));
const different = (before: unknown, after: unknown): void => assert.notDeepEqual(normalizePart(after), normalizePart(before));

describe("a part of a pod stays the same part", () => {
  test("with the defaults that an API server writes out", () => {
    const before = { name: "a", ports: [{ containerPort: 1 }], resources: { limits: { cpu: "2000m" } } };
    same(before, {
      ...before,
      terminationMessagePath: "/dev/termination-log",
      terminationMessagePolicy: "File",
      ports: [{ containerPort: 1, protocol: "TCP" }],
      resources: { limits: { cpu: "2" } },
    });
  });

  test("with the token that a live Pod has mounted into every container", () => {
    same({ name: "a" }, { name: "a", volumeMounts: [TOKEN] });
    same({ name: "a", volumeMounts: [OURS] }, { name: "a", volumeMounts: [OURS, TOKEN] });
  });
});

test("a mount that a person has added, taken away or moved makes it another part", () => {
  const before = { name: "a", volumeMounts: [OURS] };
  different(before, { ...before, volumeMounts: [OURS, { name: "b", mountPath: "/b" }] });
  different(before, { name: "a" });
  different(before, { ...before, volumeMounts: [{ ...OURS, mountPath: "/elsewhere" }] });
});
