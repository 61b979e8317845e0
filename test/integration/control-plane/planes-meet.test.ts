// The planes meet: the sidecar's own xDS client and state against the real controller, over TLS with a token.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { createTokenSigner, LOCAL_TOKEN_ISSUER } from "../../../src/ca/client/service-account-token.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { createLog } from "../../../src/common/log.ts";
import { startController } from "../../../src/control-plane/controller.ts";
import type { Controller } from "../../../src/control-plane/controller.ts";
import { DirectorySource } from "../../../src/control-plane/sources/directory-source.ts";
import { buildSidecarBootstrap } from "../../../src/proxy-runtime/config/sidecar-bootstrap.ts";
import type { ProxyConfig } from "../../../src/proxy-runtime/config/proxy-config.ts";
import { connectXds } from "../../../src/proxy-runtime/state/ads-connection.ts";
import type { Xds } from "../../../src/proxy-runtime/state/ads-connection.ts";
import { Env } from "../../../src/xds/names.ts";
import { eventually } from "../../support/eventually.ts";
import { TEST_SETTINGS } from "../../support/mesh-from-yaml.ts";

const SHOP = readFileSync(join(import.meta.dirname, "../../golden/translate/shop/input.yaml"), "utf8");
const PAYMENTS = "payments.shop.svc.cluster.local";
const within = { withinMs: 3000 };

describe("a sidecar of the shop at the controller", () => {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-planes-"));
  const file = join(folder, "mesh.yaml");
  const configs: ProxyConfig[] = [];
  const troubles: string[] = [];
  let controller: Controller;
  let xds: Xds | undefined;

  const save = (text: string): void => {
    writeFileSync(`${file}~`, text);
    renameSync(`${file}~`, file);
  };
  const config = (): ProxyConfig => configs.at(-1)!;
  const split = (of: ProxyConfig): Record<string, number> => {
    const host = of.routes.get("8080")!.virtualHosts.find((each) => each.name.startsWith("payments."))!;
    const action = host.routes[0]!.action;
    return action.kind === "route" ? Object.fromEntries(action.clusters.map((each) => [each.cluster.split("|")[2], each.weight])) : {};
  };

  before(async () => {
    save(SHOP);
    const tokens = await createTokenSigner();
    writeFileSync(join(folder, "jwks.json"), JSON.stringify(tokens.jwks));
    writeFileSync(join(folder, "token"), await tokens.sign({ namespace: "shop", serviceAccount: "checkout" }, { ttlS: 60 }));
    controller = await startController({
      settings: TEST_SETTINGS,
      cluster: undefined,
      sources: [new DirectorySource([file], systemClock)],
      xdsAddress: undefined,
      secure: {
        address: { host: "127.0.0.1", port: 0 },
        authorityFolder: join(folder, "ca"),
        tokenKeysFile: join(folder, "jwks.json"),
        tokenIssuer: LOCAL_TOKEN_ISSUER,
        serverNames: ["127.0.0.1"],
      },
      monitoringAddress: { host: "127.0.0.1", port: 0 },
      clock: systemClock,
      log: createLog({ level: "warn", format: "text", stream: { write: (line) => troubles.push(line) } }),
    });
    const env = {
      [Env.podName]: "checkout-1",
      [Env.podNamespace]: "shop",
      [Env.instanceIp]: "10.244.0.2",
      [Env.instanceIps]: "10.244.0.2,fd00:10:244::2",
      [Env.serviceAccount]: "checkout",
      [Env.discoveryAddress]: `localhost:${controller.securePort}`,
    };
    const files = { tokenFile: join(folder, "token"), rootsFile: join(folder, "ca/root-cert.pem"), labelsFile: join(folder, "none") };
    xds = connectXds({
      bootstrap: buildSidecarBootstrap({ env, domain: undefined, dnsCapture: true, ...files }),
      wantsNames: true,
      clock: systemClock,
      onConfig: (each) => configs.push(each),
      log: (level, message) => void (level === "info" || troubles.push(message)),
    });
    xds.start();
    xds.state.setSecrets([
      { kind: "certificate", name: "default", chainPem: "", keyPem: "" },
      { kind: "validation", name: "ROOTCA", rootsPem: "", sanMatches: [] },
    ]);
  });

  after(async () => {
    xds?.stop();
    await controller?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("comes to one whole configuration, with nothing refused", async () => {
    await eventually(() => assert.ok(configs.length > 0, troubles.join("\n")), within);
    assert.deepEqual([...config().listeners.keys()].sort(), ["0.0.0.0_8080", "virtualInbound", "virtualOutbound"]);
    assert.deepEqual(split(config()), { v1: 90, v2: 10 });
    assert.equal(
      config().endpoints.get(`outbound|8080|v1|${PAYMENTS}`)!.localities[0]!.endpoints[0]!.transportSocketMatch["tlsMode"],
      "istio",
    );
    assert.equal(config().clusters.get(`outbound|8080|v1|${PAYMENTS}`)!.service?.name, "payments");
    await eventually(() => assert.deepEqual(config().names.get(PAYMENTS), ["10.96.0.11"]), within);
    assert.deepEqual(troubles, []);
  });

  test("follows weights and a new subset without ever seeing a route to a cluster that isn't there", async () => {
    const seen = configs.length;
    save(
      SHOP.replace(
        "{ name: v2, labels: { version: v2 } }",
        "{ name: v2, labels: { version: v2 } }\n    - { name: v3, labels: { version: v2 } }",
      ).replace("subset: v1 }, weight: 90", "subset: v3 }, weight: 60"),
    );
    await eventually(() => assert.deepEqual(split(config()), { v3: 60, v2: 10 }), within);
    save(SHOP);
    await eventually(() => assert.deepEqual(split(config()), { v1: 90, v2: 10 }), within);
    for (const each of configs.slice(seen)) {
      for (const subset of Object.keys(split(each))) {
        const name = `outbound|8080|${subset}|${PAYMENTS}`;
        assert.ok(each.clusters.has(name), `route to ${name}, which isn't there`);
        assert.ok(each.endpoints.has(name), `no endpoints of ${name}`);
      }
    }
    assert.deepEqual(troubles, []);
  });

  test("has acknowledged everything that it was sent", async () => {
    await eventually(async () => {
      const answer = await fetch(`http://127.0.0.1:${controller.monitoringPort}/debug/syncz`);
      const [entry] = (await answer.json()) as Record<string, string>[];
      for (const kind of ["cluster", "endpoint", "listener", "route", "name_table"]) {
        assert.notEqual(entry?.[`${kind}_sent`], undefined);
        assert.equal(entry?.[`${kind}_acked`], entry?.[`${kind}_sent`], kind);
      }
    }, within);
  });
});
