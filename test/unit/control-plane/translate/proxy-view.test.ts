// A sidecar's own words joined with what is known of its pod.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { proxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import type { ProxyNode, ProxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

const MESH = meshFromYaml(`
apiVersion: v1
kind: Pod
metadata: { name: web-1, namespace: shop, labels: { app: web, tier: front } }
spec: { serviceAccountName: web }
status: { podIP: 10.244.0.2 }
`);

function view(said: Partial<ProxyNode>): ProxyView {
  const node = { id: "", pod: "web-1", namespace: "shop", serviceAccount: "web", addresses: ["10.244.0.2"], version: "", ...said };
  return proxyView(MESH, { labels: { said: "itself" }, ...node });
}
const labels = (said: Partial<ProxyNode>): object => view(said).labels;

describe("a connected sidecar", () => {
  test("has the labels of its pod, whatever it says", () => {
    assert.deepEqual(labels({}), { app: "web", tier: "front" });
  });

  test("has its own where nobody knows its pod", () => {
    assert.deepEqual(labels({ pod: "web-2", addresses: ["10.244.0.3"] }), { said: "itself" });
  });

  test("is found by its address where its pod has another name", () => {
    assert.deepEqual(labels({ pod: "virtual-machine" }), { app: "web", tier: "front" });
  });

  test("can't take a pod of another account or namespace by claiming its address", () => {
    assert.deepEqual(labels({ pod: "thief", serviceAccount: "thief" }), { said: "itself" });
    assert.deepEqual(labels({ pod: "thief", namespace: "elsewhere" }), { said: "itself" });
  });

  for (const [addresses, hasIpv4, hasIpv6] of [
    [["10.0.0.1"], true, false],
    [["fd00::1"], false, true],
    [["10.0.0.1", "fd00::1"], true, true],
    [[], true, false],
  ] as const) {
    test(`with the addresses [${addresses.join(", ")}] ${hasIpv4 ? "has" : "lacks"} IPv4 and ${hasIpv6 ? "has" : "lacks"} IPv6`, () => {
      const found = view({ pod: "unknown", addresses });
      assert.deepEqual([found.hasIpv4, found.hasIpv6], [hasIpv4, hasIpv6]);
    });
  }
});
