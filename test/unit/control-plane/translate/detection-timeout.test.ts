// How long sidecars wait for first bytes is the operator's to say, for every listener that waits at all.
import assert from "node:assert/strict";
import { test } from "node:test";
import { outboundScope } from "../../../../src/control-plane/translate/outbound-scope.ts";
import { proxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import { translateInbound, translateOutbound } from "../../../../src/control-plane/translate/translate.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

const MESH = `
apiVersion: v1
kind: Service
metadata: { name: all, namespace: shop }
spec:
  clusterIP: 10.96.0.1
  ports: [{ name: http, port: 80 }, { name: guess, port: 81 }, { name: tls, port: 82 }, { name: tcp, port: 83 }]
`;

/** Milliseconds by listener; undefined where nothing is waited for. */
function timeouts(protocolDetectionTimeoutMs: number): Record<string, number | undefined> {
  const snapshot = meshFromYaml(MESH, { protocolDetectionTimeoutMs });
  const node = { id: "", pod: "a", namespace: "shop", serviceAccount: "", addresses: ["10.244.0.1"], labels: {}, version: "" };
  const view = proxyView(snapshot, node);
  const listeners = [
    ...translateOutbound(snapshot, outboundScope(view)).listeners.values(),
    ...translateInbound(snapshot, view).listeners.values(),
  ];
  return Object.fromEntries(
    listeners.map(({ name, listenerFiltersTimeout: time }) => [
      name,
      time === undefined ? undefined : Number(time.seconds) * 1000 + time.nanos / 1e6,
    ]),
  );
}

for (const limit of [0, 5000, 250]) {
  test(`a detection timeout of ${limit} ms holds for every listener that waits`, () => {
    assert.deepEqual(timeouts(limit), {
      virtualOutbound: undefined,
      "0.0.0.0_80": limit,
      "0.0.0.0_82": limit,
      "10.96.0.1_81": limit,
      "10.96.0.1_82": limit,
      "10.96.0.1_83": undefined,
      virtualInbound: limit,
    });
  });
}
