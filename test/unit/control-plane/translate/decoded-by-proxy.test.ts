// The planes meet: whatever translate emits is accepted by the proxy's decoders, with nothing left unacted on.
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import type { Message } from "@bufbuild/protobuf";
import { formatProblems } from "../../../../src/common/result.ts";
import type { Result } from "../../../../src/common/result.ts";
import { outboundScope } from "../../../../src/control-plane/translate/outbound-scope.ts";
import { proxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import type { ProxyNode } from "../../../../src/control-plane/translate/proxy-view.ts";
import { RESOURCE_SCHEMAS } from "../../../../src/control-plane/translate/resources.ts";
import type { Resources } from "../../../../src/control-plane/translate/resources.ts";
import { translateInbound, translateOutbound } from "../../../../src/control-plane/translate/translate.ts";
import { decodeCluster } from "../../../../src/proxy-runtime/config/decode-cluster.ts";
import { decodeEndpoints } from "../../../../src/proxy-runtime/config/decode-endpoints.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import { decodeNameTable } from "../../../../src/proxy-runtime/config/decode-name-table.ts";
import { decodeRoute } from "../../../../src/proxy-runtime/config/decode-route.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

const cases = join(import.meta.dirname, "../../../golden/translate");
const DECODERS: Readonly<Record<keyof Resources, (bytes: Uint8Array) => Result<unknown>>> = {
  clusters: (bytes) => decodeCluster(bytes),
  endpoints: (bytes) => decodeEndpoints(bytes),
  listeners: (bytes) => decodeListener(bytes),
  routes: (bytes) => decodeRoute(bytes),
  nameTables: (bytes) => decodeNameTable(bytes),
};

for (const name of readdirSync(cases).sort()) {
  test(`the proxy accepts every resource of the mesh "${name}", as plain data`, () => {
    const given = JSON.parse(readFileSync(join(cases, name, "proxy.json"), "utf8")) as Partial<ProxyNode> & { accessLogPath?: string };
    const snapshot = meshFromYaml(readFileSync(join(cases, name, "input.yaml"), "utf8"), { accessLogPath: given.accessLogPath });
    const view = proxyView(snapshot, {
      id: "",
      pod: "",
      namespace: "",
      serviceAccount: "",
      addresses: [],
      labels: {},
      version: "",
      ...given,
    });
    let decoded = 0;
    for (const resources of [translateOutbound(snapshot, outboundScope(view)), translateInbound(snapshot, view)]) {
      for (const kind of Object.keys(DECODERS) as (keyof Resources)[]) {
        for (const [resource, message] of resources[kind] as ReadonlyMap<string, Message>) {
          const result = DECODERS[kind](toBinary(RESOURCE_SCHEMAS[kind], message));
          assert.ok(result.ok, `${kind} ${resource}: ${result.ok ? "" : formatProblems(result.problems)}`);
          // Another thread may have to act on it.
          assert.deepEqual(structuredClone(result.value), result.value, `${kind} ${resource}`);
          decoded++;
        }
      }
    }
    assert.ok(decoded > 5);
  });
}
