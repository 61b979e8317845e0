// The planes meet: the real controller on one end of ADS, the sidecar's state on the other, with the shop between them.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../src/common/clock.ts";
import { createLog } from "../../src/common/log.ts";
import { startController } from "../../src/control-plane/controller.ts";
import type { Controller } from "../../src/control-plane/controller.ts";
import { DirectorySource } from "../../src/control-plane/sources/directory-source.ts";
import type { ProxyConfig } from "../../src/proxy-runtime/config/proxy-config.ts";
import { buildSidecarBootstrap } from "../../src/proxy-runtime/config/sidecar-bootstrap.ts";
import { connectXds } from "../../src/proxy-runtime/state/ads-connection.ts";
import type { Xds } from "../../src/proxy-runtime/state/ads-connection.ts";
import { Env, ListenerName, SecretName, TypeUrl } from "../../src/xds/names.ts";
import { eventually } from "../support/eventually.ts";
import { TEST_SETTINGS } from "../support/mesh-from-yaml.ts";

const SHOP = readFileSync(join(import.meta.dirname, "../golden/translate/shop/input.yaml"), "utf8");
const PAYMENTS_V2 = "outbound|8080|v2|payments.shop.svc.cluster.local";
const SECRETS = [
  { kind: "certificate", name: SecretName.workload, chainPem: "c", keyPem: "k" },
  { kind: "validation", name: SecretName.roots, rootsPem: "r", sanMatches: [] },
] as const;

describe("a sidecar on a real controller", () => {
  let folder: string;
  let controller: Controller;
  let xds: Xds;
  let configs: ProxyConfig[];
  let errors: string[];
  let connections: boolean[];

  const save = (text: string): void => {
    writeFileSync(join(folder, "mesh", "shop.yaml~"), text);
    renameSync(join(folder, "mesh", "shop.yaml~"), join(folder, "mesh", "shop.yaml"));
  };

  const control = (port: number): Promise<Controller> =>
    startController({
      settings: TEST_SETTINGS,
      cluster: undefined,
      sources: [new DirectorySource([join(folder, "mesh")], systemClock)],
      xdsAddress: { host: "127.0.0.1", port },
      secure: undefined,
      monitoringAddress: undefined,
      clock: systemClock,
      log: createLog({ level: "error", format: "json", stream: { write: (line: string) => void errors.push(line) } }),
    });

  beforeEach(async () => {
    folder = mkdtempSync(join(tmpdir(), "meshctl-planes-"));
    mkdirSync(join(folder, "mesh"));
    configs = [];
    errors = [];
    connections = [];
    save(SHOP);
    writeFileSync(join(folder, "token"), "unused on the plaintext port");
    controller = await control(0);
    const bootstrap = buildSidecarBootstrap({
      env: {
        [Env.podName]: "checkout-1",
        [Env.podNamespace]: "shop",
        [Env.instanceIp]: "10.244.0.77",
        [Env.discoveryAddress]: "127.0.0.1:15010",
      },
      domain: undefined,
      dnsCapture: true,
      tokenFile: join(folder, "token"),
    });
    xds = connectXds({
      bootstrap: { ...bootstrap, ads: { ...bootstrap.ads!, address: { host: "127.0.0.1", port: controller.xdsPort! } } },
      wantsNames: true,
      clock: systemClock,
      onConfig: (config) => configs.push(config),
      onConnection: (isConnected) => connections.push(isConnected),
      log: (level, message) => level === "error" && errors.push(message),
    });
    xds.state.setSecrets(SECRETS);
    xds.start();
    await eventually(() => assert.ok(xds.state.isReady(), `waiting for ${xds.state.missing().join(", ")}`), { withinMs: 10_000 });
  });

  afterEach(async () => {
    xds.stop();
    await controller.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("is whole at its first configuration, and nothing is refused", async () => {
    const first = configs[0]!;
    assert.ok(first.listeners.has(ListenerName.outbound) && first.listeners.has(ListenerName.inbound));
    for (const { type, edsServiceName } of first.clusters.values())
      if (type === "eds") assert.ok(first.endpoints.has(edsServiceName), edsServiceName);
    for (const { filterChains } of first.listeners.values()) {
      for (const { filter } of filterChains) {
        if (filter.kind === "http" && filter.routes.kind === "rds") assert.ok(first.routes.has(filter.routes.name), filter.routes.name);
      }
    }
    await eventually(() => assert.ok(configs.at(-1)!.names.size > 0), { withinMs: 5000 });
    assert.deepEqual(errors, []);
    for (const typeUrl of [TypeUrl.cluster, TypeUrl.endpoints, TypeUrl.listener, TypeUrl.route])
      assert.notEqual(xds.state.versions().get(typeUrl) ?? "", "", typeUrl);
    assert.equal(
      xds.state.records().every((each) => each.state === "active" && each.error === undefined),
      true,
    );
  });

  test("gets edited weights within a second, with everything else untouched", async () => {
    const before = configs.at(-1)!;
    const startMs = performance.now();
    save(SHOP.replace("weight: 90", "weight: 20").replace("weight: 10", "weight: 80"));
    await eventually(() => assert.notEqual(configs.at(-1)!.routes, before.routes), { withinMs: 5000 });
    assert.ok(performance.now() - startMs < 1000);
    const after = configs.at(-1)!;
    assert.equal(after.clusters, before.clusters);
    assert.equal(after.listeners, before.listeners);
    assert.equal(after.endpoints, before.endpoints);
    const weights = [...after.routes.values()].flatMap((each) =>
      each.virtualHosts.flatMap((host) =>
        host.routes.flatMap(({ action }) =>
          action.kind === "route" ? action.clusters.filter(({ cluster }) => cluster === PAYMENTS_V2) : [],
        ),
      ),
    );
    assert.deepEqual(
      weights.map((each) => each.weight),
      [80],
    );
  });

  test("keeps its configuration while the control plane is away, and follows it again when it is back", async () => {
    const before = configs.at(-1)!;
    const port = controller.xdsPort!;
    await controller.stop();
    await eventually(() => assert.equal(connections.at(-1), false), { withinMs: 5000 });
    assert.equal(xds.state.isReady(), true);
    assert.equal(xds.state.config, before);
    save(SHOP.replace("weight: 90", "weight: 20").replace("weight: 10", "weight: 80"));
    controller = await control(port);
    await eventually(() => assert.notEqual(configs.at(-1)!.routes, before.routes), { withinMs: 15_000 });
    assert.equal(configs.at(-1)!.clusters, before.clusters, "what is the same stays the very same");
    assert.deepEqual(errors, []);
  });
});
