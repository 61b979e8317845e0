// Whether a sidecar's first words agree with what it has proven.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { JsonObject } from "@bufbuild/protobuf";
import { admitProxy } from "../../../../src/control-plane/push/proxy-node.ts";
import type { FindPod } from "../../../../src/control-plane/push/proxy-node.ts";
import { NodeSchema } from "../../../../src/xds/gen/envoy/config/core/v3/base_pb.ts";

const node = (id = "sidecar~10.0.0.1~web-1.shop~shop.svc.cluster.local", metadata: JsonObject = { SERVICE_ACCOUNT: "web" }) =>
  create(NodeSchema, { id, metadata });
const pods =
  (known: Record<string, { uid?: string; serviceAccount: string }>): FindPod =>
  (namespace, name) =>
    known[`${namespace}/${name}`];
const NONE = pods({});
const web = { namespace: "shop", serviceAccount: "web" };
const token = { ...web, pod: { name: "web-1", uid: "u1" } };

describe("a sidecar's first words", () => {
  test("are believed where nobody asks for a proof, and where they are what was proven", () => {
    assert.equal(admitProxy(node(), undefined, NONE).ok, true);
    for (const find of [
      NONE,
      pods({ "shop/web-1": { uid: "u1", serviceAccount: "web" } }),
      pods({ "shop/web-1": { serviceAccount: "web" } }),
    ]) {
      const admission = admitProxy(node(), token, find);
      assert.ok(admission.ok);
      assert.deepEqual([admission.proxy.pod, admission.proxy.namespace, admission.proxy.serviceAccount], ["web-1", "shop", "web"]);
    }
  });

  test("are refused in few words, however many they are", () => {
    const long = admitProxy(node(`sidecar~10.0.0.1~${"x".repeat(2_000)}.shop~d`), undefined, NONE);
    assert.ok(!long.ok && long.reason === "the node id is longer than 1024 characters");
    const claims = admitProxy(node(undefined, { NAMESPACE: "x".repeat(1_000_000) }), token, NONE);
    assert.ok(!claims.ok && claims.reason.length === 2_048);
  });

  test("get the proven service account where they name none", () => {
    const admission = admitProxy(node(undefined, {}), token, NONE);
    assert.ok(admission.ok && admission.proxy.serviceAccount === "web");
  });

  for (const [what, claimed, reason] of [
    [
      "another namespace",
      node("sidecar~10.0.0.1~web-1.bank~bank.svc.cluster.local"),
      "the caller is service account shop/web, the node claims bank/web",
    ],
    ["another namespace in its metadata", node(undefined, { NAMESPACE: "bank" }), "node id is of namespace shop, its metadata of bank"],
    [
      "another service account",
      node(undefined, { SERVICE_ACCOUNT: "admin" }),
      "the caller is service account shop/web, the node claims shop/admin",
    ],
    ["another pod", node("sidecar~10.0.0.1~web-2.shop~shop.svc.cluster.local"), "the token is of pod web-1, the node claims web-2"],
    ["to be a router", node("router~10.0.0.1~web-1.shop~shop.svc.cluster.local"), 'node type "router" is not supported; only sidecar is'],
  ] as const) {
    test(`are refused when they claim ${what}`, () => {
      assert.deepEqual(admitProxy(claimed, token, NONE), { ok: false, reason });
    });
  }

  test("of a pod that was replaced by one of the same name are refused for now", () => {
    const admission = admitProxy(node(), token, pods({ "shop/web-1": { uid: "u2", serviceAccount: "web" } }));
    assert.deepEqual(admission, { ok: false, reason: "the token is of pod web-1 with uid u1, known is u2", isTemporary: true });
  });

  test("of a certificate, which tells no pod, may name only a pod of its own service account", () => {
    assert.equal(admitProxy(node(), web, NONE).ok, true);
    assert.equal(admitProxy(node(), web, pods({ "shop/web-1": { serviceAccount: "web" } })).ok, true);
    assert.deepEqual(admitProxy(node(), web, pods({ "shop/web-1": { serviceAccount: "admin" } })), {
      ok: false,
      reason: "the certificate is of service account shop/web, the pod web-1 is of shop/admin",
    });
  });
});
