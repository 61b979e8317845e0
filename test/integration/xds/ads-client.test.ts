// The ADS client against a @grpc/grpc-js server: what is on the wire in which order.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Problem } from "../../../src/common/result.ts";
import { AdsClient } from "../../../src/xds/ads-client.ts";
import type { AdsClientOptions } from "../../../src/xds/ads-client.ts";
import { connectGrpc } from "../../../src/xds/grpc-channel.ts";
import type { GrpcChannel } from "../../../src/xds/grpc-channel.ts";
import { TypeUrl } from "../../../src/xds/names.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { ScriptedAdsServer } from "../../support/scripted-ads-server.ts";
import { cluster } from "../../support/xds-resources.ts";

let server: ScriptedAdsServer;
let clock: ManualClock;
let channel: GrpcChannel;
let client: AdsClient;
let received: { typeUrl: string; version: string; count: number }[];
let problems: Problem[];
let connections: boolean[];
let tokens: number;

function open(options: Partial<AdsClientOptions> = {}): void {
  channel = connectGrpc({ address: { host: "127.0.0.1", port: server.port } });
  client = new AdsClient({
    channel,
    node: { id: "sidecar~1", cluster: "c", locality: { region: "r", zone: "", subZone: "" }, metadata: { NAMESPACE: "shop" } },
    metadata: () => ({ authorization: `Bearer token-${++tokens}` }),
    clock,
    random: () => 0.5,
    onResponse: (typeUrl, version, resources) => {
      received.push({ typeUrl, version, count: resources.length });
      return problems;
    },
    onConnection: ({ connected }) => connections.push(connected),
    ...options,
  });
}

beforeEach(async () => {
  server = await ScriptedAdsServer.start();
  clock = new ManualClock();
  received = [];
  problems = [];
  connections = [];
  tokens = 0;
  open();
});

afterEach(() => {
  client.close();
  channel.close();
  server.close();
});

describe("AdsClient", () => {
  test("tells the node in the first request only, and the token as metadata", async () => {
    client.subscribe(TypeUrl.listener, "*");
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    const first = await server.request(TypeUrl.cluster, 0);
    const second = await server.request(TypeUrl.listener, 0);
    assert.equal(server.streams[0]!.requests[0], first, "clusters before listeners");
    assert.equal(first.node!.id, "sidecar~1");
    assert.equal(first.node!.userAgentName, "meshctl");
    assert.deepEqual(first.node!.metadata, { NAMESPACE: "shop" });
    assert.deepEqual([first.resourceNames, first.versionInfo, first.responseNonce], [[], "", ""]);
    assert.equal(second.node, undefined);
    assert.deepEqual(server.streams[0]!.call.metadata.get("authorization"), ["Bearer token-1"]);
  });

  test("acknowledges with nonce and version", async () => {
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    await server.request(TypeUrl.cluster, 0);
    const nonce = server.respond(TypeUrl.cluster, "v1", [cluster({ name: "a" }), cluster({ name: "b" })]);
    const ack = await server.request(TypeUrl.cluster, 1);
    assert.deepEqual([ack.versionInfo, ack.responseNonce, ack.errorDetail], ["v1", nonce, undefined]);
    assert.deepEqual(received, [{ typeUrl: TypeUrl.cluster, version: "v1", count: 2 }]);
    assert.deepEqual(connections, [true]);
  });

  test("refuses with the last good version, the new nonce and every problem", async () => {
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    await server.request(TypeUrl.cluster, 0);
    server.respond(TypeUrl.cluster, "v1", []);
    await server.request(TypeUrl.cluster, 1);
    problems = [
      { path: "a: type", message: "unknown" },
      { path: "b: name", message: "missing" },
    ];
    const nonce = server.respond(TypeUrl.cluster, "v2", []);
    const nack = await server.request(TypeUrl.cluster, 2);
    assert.deepEqual([nack.versionInfo, nack.responseNonce], ["v1", nonce]);
    assert.equal(nack.errorDetail!.message, "a: type: unknown; b: name: missing");
    assert.equal(client.versions().get(TypeUrl.cluster), "v1");
  });

  test("refuses a resource of another type than the response's", async () => {
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    await server.request(TypeUrl.cluster, 0);
    server.respond(TypeUrl.cluster, "v1", [cluster({ name: "a" })], TypeUrl.listener);
    const nack = await server.request(TypeUrl.cluster, 1);
    assert.match(nack.errorDetail!.message, /resources\[0\]: is a .*Listener, not a .*Cluster/);
    assert.deepEqual(received, []);
  });

  test("answers first and sends changed subscriptions after it", async () => {
    client.close();
    open({
      onResponse: (typeUrl) => {
        if (typeUrl === TypeUrl.cluster) client.subscribe(TypeUrl.endpoints, ["a", "b"]);
        return [];
      },
    });
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    await server.request(TypeUrl.cluster, 0);
    server.respond(TypeUrl.cluster, "v1", []);
    const request = await server.request(TypeUrl.endpoints, 0);
    assert.deepEqual(request.resourceNames, ["a", "b"]);
    assert.deepEqual(
      server.streams[0]!.requests.map((each) => each.typeUrl),
      [TypeUrl.cluster, TypeUrl.cluster, TypeUrl.endpoints],
    );
  });

  test("asks for other names with the last version and nonce, and not for the same ones again", async () => {
    client.subscribe(TypeUrl.endpoints, ["a"]);
    client.start();
    await server.request(TypeUrl.endpoints, 0);
    const nonce = server.respond(TypeUrl.endpoints, "e1", []);
    await server.request(TypeUrl.endpoints, 1);
    client.subscribe(TypeUrl.endpoints, ["a"]);
    client.subscribe(TypeUrl.endpoints, ["a", "b"]);
    const request = await server.request(TypeUrl.endpoints, 2);
    assert.deepEqual([request.versionInfo, request.responseNonce, request.resourceNames], ["e1", nonce, ["a", "b"]]);
  });

  test("does not begin a type without names, and ends one with an empty request", async () => {
    client.subscribe(TypeUrl.route, []);
    client.subscribe(TypeUrl.endpoints, ["a"]);
    client.start();
    await server.request(TypeUrl.endpoints, 0);
    client.subscribe(TypeUrl.endpoints, []);
    assert.deepEqual((await server.request(TypeUrl.endpoints, 1)).resourceNames, []);
    assert.equal(
      server.streams[0]!.requests.some((each) => each.typeUrl === TypeUrl.route),
      false,
    );
  });

  test("comes back after the stream ended, with names, last versions, no nonce and a fresh token", async () => {
    client.subscribe(TypeUrl.cluster, "*");
    client.subscribe(TypeUrl.endpoints, ["a"]);
    client.start();
    await server.request(TypeUrl.endpoints, 0);
    server.respond(TypeUrl.cluster, "v1", []);
    await server.request(TypeUrl.cluster, 1);
    server.streams[0]!.call.end();
    await eventually(() => assert.deepEqual(connections, [true, false]), { withinMs: 5000 });
    assert.equal(server.streams.length, 1, "not before the back-off is over");
    await clock.advance(251);
    const again = await server.request(TypeUrl.cluster, 0, 1);
    assert.deepEqual([again.versionInfo, again.responseNonce, again.node!.id], ["v1", "", "sidecar~1"]);
    assert.deepEqual((await server.request(TypeUrl.endpoints, 0, 1)).resourceNames, ["a"]);
    assert.deepEqual(server.streams[1]!.call.metadata.get("authorization"), ["Bearer token-2"]);
  });

  test("waits longer with each failure, until a response came", async () => {
    server.close();
    const delays: number[] = [];
    client.close();
    open({
      clock: {
        now: () => clock.now(),
        after: (delayMs, callback) => {
          delays.push(delayMs);
          return delays.length < 4 ? clock.after(0, callback) : () => {};
        },
      },
    });
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    await eventually(
      async () => {
        await clock.advance(1);
        assert.deepEqual(delays, [250, 500, 1000, 2000]);
      },
      { withinMs: 5000 },
    );
    assert.ok(connections.every((each) => !each));
  });

  test("tries again when the token can't be read", async () => {
    const reasons: string[] = [];
    client.close();
    let broken = true;
    open({
      metadata: () => {
        if (broken) throw new Error("no token");
        return {};
      },
      onConnection: (state) => state.connected || reasons.push(state.reason),
    });
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    assert.deepEqual(reasons, ["no token"]);
    broken = false;
    await clock.advance(251);
    await server.request(TypeUrl.cluster, 0);
  });

  test("says nothing more once it is closed", async () => {
    client.subscribe(TypeUrl.cluster, "*");
    client.start();
    await server.request(TypeUrl.cluster, 0);
    client.close();
    await eventually(() => assert.ok(server.streams[0]!.call.cancelled || server.streams[0]!.call.writableEnded), { withinMs: 5000 });
    assert.deepEqual([received, connections, clock.pending], [[], [], 0]);
  });
});
