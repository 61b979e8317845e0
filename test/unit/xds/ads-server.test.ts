// What the ADS server takes from one stream, over a real connection.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { addAdsService } from "../../../src/xds/ads-server.ts";
import type { AdsConnection } from "../../../src/xds/ads-server.ts";
import { AdsTestClient, NODE } from "../../support/ads-test-client.ts";
import { eventually } from "../../support/eventually.ts";

test("ends a stream that asks for ever more types, and has remembered few of them", async () => {
  const server = new grpc.Server();
  let connection: AdsConnection<string> | undefined;
  const hooks = {
    admit: () => ({ ok: true, proxy: "a" }) as const,
    resourcesFor: () => ({ version: "1", types: new Map() }),
    onConnected: (each: AdsConnection<string>) => (connection = each),
    ...{ onDisconnected() {}, onSent() {}, onRefused() {}, onUnauthenticated() {}, onUndecided() {} },
  };
  addAdsService(server, hooks, "control plane", undefined);
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) => (error ? reject(error) : resolve(bound)));
  });
  const client = new AdsTestClient(`127.0.0.1:${port}`);
  try {
    client.send({ node: NODE, typeUrl: "type-0" });
    for (let index = 1; index < 200; index++) client.send({ typeUrl: `type-${index}` });
    await eventually(() => assert.equal(client.status?.code, grpc.status.RESOURCE_EXHAUSTED), { withinMs: 5_000 });
    assert.equal(connection?.status().length, 64);
  } finally {
    client.close();
    server.forceShutdown();
  }
});
