// The mesh's option for paths, from the control plane's setting to what a sidecar makes of them.
import assert from "node:assert/strict";
import { test } from "node:test";
import { create } from "@bufbuild/protobuf";
import type { PathNormalization } from "../../../../src/control-plane/registry/mesh-snapshot.ts";
import { httpManager } from "../../../../src/control-plane/translate/network-filters.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import { normalizePath } from "../../../../src/proxy-runtime/listener/path-normalization.ts";
import { ListenerSchema } from "../../../../src/xds/gen/envoy/config/listener/v3/listener_pb.ts";
import { toAddress } from "../../../../src/control-plane/translate/wire-values.ts";
import { TEST_SETTINGS } from "../../../support/mesh-from-yaml.ts";

const PATH = "/a/%2e%2e//b%2f..%2Fc";

for (const [mode, expected] of [
  ["NONE", PATH],
  ["BASE", "//b%2f..%2Fc"],
  ["MERGE_SLASHES", "/b%2f..%2Fc"],
  ["DECODE_AND_MERGE_SLASHES", "/c"],
] as const satisfies readonly (readonly [PathNormalization, string])[]) {
  for (const side of ["inbound", "outbound"] as const) {
    test(`${mode} makes ${expected} of ${PATH}, ${side}`, () => {
      const filter = httpManager({ ...TEST_SETTINGS, pathNormalization: mode }, side, "p", { case: "routeConfig", value: { name: "r" } });
      const decoded = decodeListener(
        create(ListenerSchema, { name: "l", address: toAddress("127.0.0.1", 1), filterChains: [{ filters: [filter] }] }),
      );
      assert.ok(decoded.ok, JSON.stringify(decoded));
      const manager = decoded.value.value.filterChains[0]!.filter;
      assert.ok(manager.kind === "http");
      assert.deepEqual(normalizePath(PATH, manager), { path: expected, outcome: "ok" });
    });
  }
}
