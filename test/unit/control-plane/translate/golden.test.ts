// Each folder of test/golden/translate is a case: a mesh (input.yaml), a proxy (proxy.json), and what the proxy is to get
// (output.yaml). UPDATE_GOLDEN=1 writes the outputs anew; read the difference before committing it.
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { dumpYaml } from "../../../../src/common/yaml.ts";
import { outboundScope } from "../../../../src/control-plane/translate/outbound-scope.ts";
import { proxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import type { ProxyNode } from "../../../../src/control-plane/translate/proxy-view.ts";
import { translateInbound, translateOutbound } from "../../../../src/control-plane/translate/translate.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";
import { resourcesToJson } from "../../../support/wire-json.ts";

const cases = join(import.meta.dirname, "../../../golden/translate");

interface GoldenProxy extends Partial<ProxyNode> {
  /** Parts of the output that this case is about; all when absent. */
  readonly show?: readonly string[];
  readonly accessLogPath?: string;
}

for (const name of readdirSync(cases).sort()) {
  test(`translates the mesh "${name}" to what its golden file says`, () => {
    const folder = join(cases, name);
    const { show, accessLogPath, ...given } = JSON.parse(readFileSync(join(folder, "proxy.json"), "utf8")) as GoldenProxy;
    const snapshot = meshFromYaml(readFileSync(join(folder, "input.yaml"), "utf8"), { accessLogPath });
    const node: ProxyNode = {
      id: "test",
      pod: "client",
      namespace: "default",
      serviceAccount: "default",
      addresses: [],
      labels: {},
      version: "",
      ...given,
    };
    const view = proxyView(snapshot, node);
    const parts: Record<string, unknown> = {
      outbound: resourcesToJson(translateOutbound(snapshot, outboundScope(view))),
      inbound: resourcesToJson(translateInbound(snapshot, view)),
    };
    const shown =
      show === undefined
        ? parts
        : Object.fromEntries(
            show.map((path) => [path, path.split("/").reduce((at, step) => (at as Record<string, unknown>)?.[step], parts as unknown)]),
          );
    const output = dumpYaml(shown);
    const file = join(folder, "output.yaml");
    if (process.env["UPDATE_GOLDEN"] === "1" || !existsSync(file)) {
      assert.equal(process.env["UPDATE_GOLDEN"], "1", `${file} is missing; run with UPDATE_GOLDEN=1`);
      writeFileSync(file, output);
    }
    assert.equal(output, readFileSync(file, "utf8"));
  });
}
