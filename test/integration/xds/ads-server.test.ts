// What the ADS server tells a client on the wire when it sends it away.
import assert from "node:assert/strict";
import { after, test } from "node:test";
import * as grpc from "@grpc/grpc-js";
import { systemClock } from "../../../src/common/clock.ts";
import { AdsClient } from "../../../src/xds/ads-client.ts";
import { addAdsService } from "../../../src/xds/ads-server.ts";
import type { AdsConnection } from "../../../src/xds/ads-server.ts";
import { connectGrpc } from "../../../src/xds/grpc-channel.ts";
import { TypeUrl } from "../../../src/xds/names.ts";
import { eventually } from "../../support/eventually.ts";

test("a stream that the server closes ends in order, and the next one comes by a new connection", async () => {
  const server = new grpc.Server();
  after(() => server.forceShutdown());
  const connections: AdsConnection<string>[] = [];
  const ignore = (): void => undefined;
  addAdsService<string>(
    server,
    {
      admit: (node) => ({ ok: true, proxy: node.id }),
      resourcesFor: () => ({ version: "1", types: new Map([[TypeUrl.cluster, new Map()]]) }),
      onConnected: (connection) => connections.push(connection),
      onDisconnected: ignore,
      onSent: ignore,
      onRefused: ignore,
      onUnauthenticated: ignore,
      onUndecided: ignore,
    },
    "test",
    undefined,
  );
  const port = await new Promise<number>((resolve, reject) =>
    server.bindAsync("127.0.0.1:0", grpc.ServerCredentials.createInsecure(), (error, bound) =>
      error === null ? resolve(bound) : reject(error),
    ),
  );
  const channel = connectGrpc({ address: { host: "127.0.0.1", port } });
  after(() => channel.close());
  const told: string[] = [];
  const client = new AdsClient({
    channel,
    node: { id: "a", cluster: "a", locality: { region: "", zone: "", subZone: "" }, metadata: {} },
    metadata: () => ({}),
    clock: systemClock,
    random: () => 0.01,
    onResponse: () => [],
    onConnection: (state) => told.push(state.connected ? "connected" : state.reason),
  });
  after(() => client.close());
  client.start();
  client.subscribe(TypeUrl.cluster, "*");
  await eventually(() => assert.deepEqual(told, ["connected"]), { withinMs: 5_000 });
  connections[0]!.close();
  await eventually(() => assert.deepEqual(told, ["connected", "ended by the control plane", "connected"]), { withinMs: 5_000 });
  assert.equal(connections.length, 2);
  assert.notEqual(connections[0]!.peer, connections[1]!.peer);
});
