// The control plane as a whole: files in a folder, a real gRPC client on the other end.
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { fromBinary } from "@bufbuild/protobuf";
import { systemClock } from "../../../src/common/clock.ts";
import { createLog } from "../../../src/common/log.ts";
import { createTokenSigner, LOCAL_TOKEN_ISSUER } from "../../../src/ca/client/service-account-token.ts";
import { startController } from "../../../src/control-plane/controller.ts";
import type { Controller } from "../../../src/control-plane/controller.ts";
import { DirectorySource } from "../../../src/control-plane/sources/directory-source.ts";
import { RouteConfigurationSchema } from "../../../src/xds/gen/envoy/config/route/v3/route_pb.ts";
import type { DiscoveryResponse } from "../../../src/xds/gen/envoy/service/discovery/v3/discovery_pb.ts";
import { TypeUrl } from "../../../src/xds/names.ts";
import { AdsTestClient, NODE, resourceNames } from "../../support/ads-test-client.ts";
import { eventually } from "../../support/eventually.ts";
import { TEST_SETTINGS } from "../../support/mesh-from-yaml.ts";

const SHOP = readFileSync(join(import.meta.dirname, "../../golden/translate/shop/input.yaml"), "utf8");

/** Weights of payments v1 and v2 in a response of routes. */
function weights(response: DiscoveryResponse): (number | undefined)[] {
  const routes = fromBinary(RouteConfigurationSchema, response.resources[0]!.value);
  const host = routes.virtualHosts.find((each) => each.name.startsWith("payments."));
  const action = host?.routes[0]?.action;
  if (action?.case !== "route" || action.value.clusterSpecifier.case !== "weightedClusters") return [];
  return action.value.clusterSpecifier.value.clusters.map((each) => each.weight);
}

describe("the controller", () => {
  const folder = mkdtempSync(join(tmpdir(), "meshctl-controller-"));
  const mesh = join(folder, "mesh");
  const authority = join(folder, "ca");
  const file = join(mesh, "shop.yaml");
  const lines: string[] = [];
  let controller: Controller;
  let tokens: Awaited<ReturnType<typeof createTokenSigner>>;

  const save = (text: string): void => {
    writeFileSync(`${file}~`, text);
    renameSync(`${file}~`, file);
  };
  const debug = async (path: string): Promise<unknown> => (await fetch(`http://127.0.0.1:${controller.monitoringPort}${path}`)).json();

  before(async () => {
    const { mkdirSync } = await import("node:fs");
    mkdirSync(mesh);
    save(SHOP);
    tokens = await createTokenSigner();
    writeFileSync(join(folder, "jwks.json"), JSON.stringify(tokens.jwks));
    controller = await startController({
      settings: TEST_SETTINGS,
      cluster: undefined,
      sources: [new DirectorySource([mesh], systemClock)],
      xdsAddress: { host: "127.0.0.1", port: 0 },
      secure: {
        address: { host: "127.0.0.1", port: 0 },
        authorityFolder: authority,
        tokenKeysFile: join(folder, "jwks.json"),
        tokenIssuer: LOCAL_TOKEN_ISSUER,
        serverNames: [],
      },
      monitoringAddress: { host: "127.0.0.1", port: 0 },
      clock: systemClock,
      log: createLog({ level: "warn", format: "json", stream: { write: (line) => lines.push(line) } }),
    });
  });

  after(async () => {
    await controller?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  test("pushes edited weights to a connected proxy well within a second, and nothing else", async () => {
    const client = new AdsTestClient(`127.0.0.1:${controller.xdsPort}`);
    try {
      client.send({ node: NODE, typeUrl: TypeUrl.cluster });
      const clusters = await client.next();
      assert.ok(resourceNames(clusters).includes("outbound|8080|v2|payments.shop.svc.cluster.local"));
      client.ack(clusters);
      client.send({ typeUrl: TypeUrl.route, resourceNames: ["8080"] });
      const routes = await client.next();
      assert.deepEqual(weights(routes), [90, 10]);
      client.ack(routes, ["8080"]);

      const startMs = performance.now();
      save(SHOP.replace("weight: 90", "weight: 20").replace("weight: 10", "weight: 80"));
      const updated = await client.next();
      const elapsedMs = performance.now() - startMs;
      assert.equal(updated.typeUrl, TypeUrl.route);
      assert.deepEqual(weights(updated), [20, 80]);
      assert.ok(elapsedMs < 900, `took ${elapsedMs} ms`);
      client.ack(updated, ["8080"]);
    } finally {
      client.close();
    }
  });

  test("reports a mistake once with its place, keeps the last good version, and takes the correction", async () => {
    const client = new AdsTestClient(`127.0.0.1:${controller.xdsPort}`);
    try {
      client.send({ node: NODE, typeUrl: TypeUrl.route, resourceNames: ["8080"] });
      const first = await client.next();
      client.ack(first, ["8080"]);
      const before = weights(first);
      // One object of the file is wrong, another one changes: 30 endpoints more would show.
      const broken = SHOP.replace("weight: 90", "wieght: 90").replace("  clusterIP: 10.96.0.10", "  clusterIP: 10.96.0.99");
      lines.length = 0;
      save(broken);
      const updated = await client.next();
      assert.deepEqual(weights(updated), before);
      assert.ok(
        fromBinary(RouteConfigurationSchema, updated.resources[0]!.value).virtualHosts.some((each) => each.domains.includes("10.96.0.99")),
      );
      client.ack(updated, ["8080"]);
      const line = broken.split("\n").findIndex((each) => each.includes("wieght")) + 1;
      const problems = (await debug("/debug/problems")) as { file: string; line: number; field: string; message: string }[];
      assert.deepEqual(
        problems.map((each) => [each.file, each.line, each.field, each.message]),
        [[file, line, "spec.http[0].route[0].wieght", 'unknown field; did you mean "weight"?']],
      );
      assert.equal(lines.filter((each) => each.includes("wieght")).length, 1);

      save("this is: [not yaml\n");
      await eventually(async () => assert.match(JSON.stringify(await debug("/debug/problems")), /not YAML/), { withinMs: 2000 });
      save(SHOP.replace("weight: 90", "weight: 50").replace("weight: 10", "weight: 50"));
      const corrected = await client.next();
      assert.deepEqual(weights(corrected), [50, 50]);
      await eventually(async () => assert.deepEqual(await debug("/debug/problems"), []), { withinMs: 2000 });
    } finally {
      client.close();
    }
  });

  test("serves a proxy over TLS that shows a token of its own service account", async () => {
    const rootPem = readFileSync(join(authority, "root-cert.pem"), "utf8");
    const token = await tokens.sign({ namespace: "shop", serviceAccount: "checkout" }, { ttlS: 60 });
    const client = new AdsTestClient(`localhost:${controller.securePort}`, { token, rootPem });
    try {
      client.send({ node: NODE, typeUrl: TypeUrl.listener });
      assert.ok(resourceNames(await client.next()).includes("virtualInbound"));
      const sync = (await debug("/debug/syncz")) as { proxy: string; listener_sent: string }[];
      assert.equal(sync.find((each) => each.listener_sent !== undefined)?.proxy, "checkout-1.shop");
    } finally {
      client.close();
    }
  });

  for (const [what, subject, expected] of [
    ["without a token", undefined, 16],
    ["with another service account's token", { namespace: "shop", serviceAccount: "payments" }, 7],
    ["with another pod's token", { namespace: "shop", serviceAccount: "checkout", pod: { name: "checkout-2", uid: "1" } }, 7],
  ] as const) {
    test(`refuses a proxy ${what}`, async () => {
      const rootPem = readFileSync(join(authority, "root-cert.pem"), "utf8");
      const token = subject === undefined ? {} : { token: await tokens.sign(subject, { ttlS: 60 }) };
      const client = new AdsTestClient(`localhost:${controller.securePort}`, { rootPem, ...token });
      try {
        client.send({ node: NODE, typeUrl: TypeUrl.cluster });
        assert.equal((await client.ended()).code, expected);
        assert.equal(client.responses.length, 0);
      } finally {
        client.close();
      }
    });
  }

  test("tells what tls-check asks: the servers' mode and policy, the client's rule, the identities", async () => {
    const report = (await debug("/debug/authenticationz?proxyID=checkout-1.shop")) as { host: string; subset?: string }[];
    assert.deepEqual(
      report.find((each) => each.host === "payments.shop.svc.cluster.local" && each.subset === undefined),
      {
        host: "payments.shop.svc.cluster.local",
        port: 8080,
        serverMode: "STRICT",
        policy: "default/shop",
        clientMode: "AUTO",
        destinationRule: "payments/shop",
        serverIdentities: ["spiffe://cluster.local/ns/shop/sa/payments"],
        endpoints: 2,
        meshedEndpoints: 2,
      },
    );
    assert.equal((await fetch(`http://127.0.0.1:${controller.monitoringPort}/debug/authenticationz?proxyID=nobody.shop`)).status, 404);
  });

  test("counts what it does, and forgets proxies that have left", async () => {
    const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${controller.monitoringPort}/metrics`)).text();
    await eventually(async () => assert.match(await metrics(), /^pilot_xds\{version="[^"]+"\} 0$/m), { withinMs: 2000 });
    const text = await metrics();
    assert.match(text, /^pilot_xds_pushes\{type="rds"\} [1-9]/m);
    assert.match(text, /^pilot_services 2$/m);
    assert.match(text, /^citadel_server_authentication_failure_count 1$/m);
  });

  test("counts and shows what a proxy refuses", async () => {
    const client = new AdsTestClient(`127.0.0.1:${controller.xdsPort}`);
    try {
      client.send({ node: NODE, typeUrl: TypeUrl.listener });
      client.nack(await client.next(), "no such filter");
      await eventually(async () => assert.match(JSON.stringify(await debug("/debug/syncz")), /"listener_refused":"no such filter"/), {
        withinMs: 2000,
      });
      const text = await (await fetch(`http://127.0.0.1:${controller.monitoringPort}/metrics`)).text();
      assert.match(text, /^pilot_total_xds_rejects 1$/m);
      assert.ok(lines.some((line) => line.includes("no such filter")));
    } finally {
      client.close();
    }
  });

  test("ends a stream whose first request names no node, no type, or a node that is no sidecar", async () => {
    for (const [request, code] of [
      [{ typeUrl: TypeUrl.cluster }, 3],
      [{ node: NODE }, 3],
      [{ node: { id: "router~1.2.3.4~a.b~c" }, typeUrl: TypeUrl.cluster }, 7],
      [{ node: { id: "whatever" }, typeUrl: TypeUrl.cluster }, 7],
    ] as const) {
      const client = new AdsTestClient(`127.0.0.1:${controller.xdsPort}`);
      try {
        client.send(request);
        assert.equal((await client.ended()).code, code, JSON.stringify(request));
      } finally {
        client.close();
      }
    }
  });
});
