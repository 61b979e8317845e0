// The reflector against the API server double, on a clock that the test moves.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { systemClock } from "../../../src/common/clock.ts";
import { getJson } from "../../../src/kube/get-json.ts";
import { Reflector } from "../../../src/kube/reflector.ts";
import type { ResourceKind } from "../../../src/kube/resource-kind.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { startConnectedApiServer } from "../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../support/api-server/connected.ts";
import { MESH_CRDS } from "../../support/api-server/api-resources.ts";
import type { ApiServer } from "../../support/api-server/api-server.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const MAPS: ResourceKind = { group: "", versions: ["v1"], kind: "ConfigMap", plural: "configmaps" };
const ROUTES: ResourceKind = {
  group: "networking.istio.io",
  versions: ["v1", "v1beta1", "v1alpha3"],
  kind: "VirtualService",
  plural: "virtualservices",
};
const within = { withinMs: 3000 };

let api: ConnectedApiServer;
let server: ApiServer;
let connection: ClusterConnection;
let clock: ManualClock;
let reflector: Reflector | undefined;
/** What was called back: `replace a b`, `changed c`, `deleted a`, `trouble …`, `recovered`. */
let told: string[];

beforeEach(async () => {
  api = await startConnectedApiServer();
  ({ server, connection } = api);
  clock = new ManualClock();
  told = [];
});
afterEach(async () => {
  reflector?.stop();
  await api.close();
});

function follow(kind: ResourceKind): void {
  reflector = new Reflector({
    connection,
    clock,
    kind,
    random: () => 0.5,
    onReplace: (objects) => told.push(["replace", ...objects.map((each) => each.metadata.name)].join(" ")),
    onChange: (type, object) => told.push(`${type} ${object.apiVersion} ${object.kind} ${object.metadata.name}`),
    onTrouble: (error) => told.push(`trouble ${error.code} ${error.message}`),
    onRecovered: () => told.push("recovered"),
  });
  reflector.start();
}

const map = (name: string, data = {}): Record<string, unknown> => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
const route = (name: string): Record<string, unknown> => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name },
});
/** Waits until exactly this has been told, and forgets it. */
async function hears(...expected: readonly string[]): Promise<void> {
  await eventually(() => assert.deepEqual(told, expected), within);
  told = [];
}
const watching = (count = 1): Promise<void> => eventually(() => assert.equal(server.watches(), count), within);
const lists = (): number => server.requests.filter((each) => each.query.get("watch") === null).length;
const watchRequests = () => server.requests.filter((each) => each.query.get("watch") === "true");
/** Moves the clock in steps until the condition holds: what the network does takes real time in between. */
const inTime = (stepMs: number, check: () => void): Promise<void> =>
  eventually(async () => {
    await clock.advance(stepMs);
    check();
  }, within);

test("tells all there is once, from as many pages as it takes, then each change", async () => {
  for (let index = 0; index < 1203; index++) server.create(map(`m${String(index).padStart(4, "0")}`));
  follow(MAPS);
  await eventually(() => assert.equal(told.length, 1), within);
  assert.equal(told[0]!.split(" ").length, 1204);
  assert.equal(lists(), 3);
  told = [];
  await watching();
  server.create(map("x"));
  server.replace(map("x", { a: "b" }));
  server.delete(map("x"));
  await hears("changed v1 ConfigMap x", "changed v1 ConfigMap x", "deleted v1 ConfigMap x");
  assert.equal(lists(), 3);
});

test("reads a list whose later pages expired in one piece", async () => {
  for (let index = 0; index < 501; index++) server.create(map(`m${index}`));
  server.onRequest = ({ query }) => {
    if (query.get("continue") !== null) server.forgetPages();
  };
  follow(MAPS);
  await eventually(() => assert.equal(told[0]?.split(" ").length, 502), within);
  assert.deepEqual(
    server.requests.slice(0, 3).map(({ query }) => [query.get("limit"), query.get("continue") !== null]),
    [
      ["500", false],
      ["500", true],
      [null, false],
    ],
  );
});

test("goes on where a watch ended, without a new list and without losing what happened in between", async () => {
  server.create(map("a"));
  follow(MAPS);
  await hears("replace a");
  await watching();
  server.create(map("b"));
  await hears("changed v1 ConfigMap b");
  server.endWatches();
  server.create(map("c"));
  await hears("changed v1 ConfigMap c");
  await watching();
  server.cutConnections();
  await eventually(() => assert.match(told.join(), /^trouble 0 /), within);
  told = [];
  server.delete(map("a"));
  await inTime(400, () => assert.deepEqual(told, ["deleted v1 ConfigMap a", "recovered"]));
  assert.equal(lists(), 1);
});

test("resumes from the last bookmark, however quiet its kind was", async () => {
  follow(MAPS);
  await hears("replace");
  await watching();
  for (let index = 0; index < 5; index++) server.create({ apiVersion: "v1", kind: "Secret", metadata: { name: `s${index}` } });
  const newest = String(server.store.version);
  server.sendBookmarks();
  server.endWatches();
  await eventually(() => assert.equal(watchRequests()[1]?.query.get("resourceVersion"), newest), within);
  assert.equal(watchRequests()[0]!.query.get("allowWatchBookmarks"), "true");
});

test("makes one new list, and one replace, when its place in history is forgotten", async () => {
  server.create(map("a"));
  server.create(map("b"));
  follow(MAPS);
  await hears("replace a b");
  await watching();
  server.sendBookmarks();
  await server.stop();
  server.delete(map("a"));
  server.create(map("c"));
  server.store.compact();
  await server.start();
  await inTime(400, () =>
    assert.deepEqual(
      told.filter((each) => !each.startsWith("trouble")),
      ["replace b c", "recovered"],
    ),
  );
  assert.equal(lists(), 2);
});

test("makes a new list when the watch says 410 by its status", async () => {
  server.create(map("a"));
  follow(MAPS);
  await hears("replace a");
  await watching();
  server.failNext(new ApiFailure(410, "Gone", "gone"));
  server.sendBookmarks();
  server.endWatches();
  await inTime(400, () => assert.deepEqual(told, ["replace a"]));
});

test("asks a server that forgets faster than it lists less and less often", async () => {
  server.onRequest = ({ query }) => {
    if (query.get("watch") === "true") server.failNext(new ApiFailure(410, "Gone", "too old resource version"));
  };
  follow(MAPS);
  for (const [index, delayMs] of [400, 800, 1600].entries()) {
    await eventually(() => assert.equal(watchRequests().length, index + 1), within);
    await eventually(() => assert.equal(clock.pending, 1), within);
    await clock.advance(delayMs - 1);
    assert.equal(lists(), index + 1);
    await clock.advance(1);
    await eventually(() => assert.equal(lists(), index + 2), within);
  }
  assert.deepEqual(new Set(told), new Set(["replace"]));
});

test("asks a server that lists what it can't watch less and less often", async () => {
  server.onRequest = ({ query }) => {
    if (query.get("watch") === "true") server.failNext(new ApiFailure(404, "NotFound", "not here"));
  };
  follow(MAPS);
  for (let step = 0; step < 30; step++) {
    await clock.advance(100);
    // By when this is answered, a list would have been asked for too.
    await getJson(connection, "/version", {}, { clock: systemClock, timeoutMs: 3000 });
  }
  const asked = watchRequests().length;
  assert.ok(asked >= 2 && asked <= 4, `${asked} watches in three seconds`);
});

test("says what its owner can't take, and offers it again", async () => {
  server.create(map("a"));
  let refusals = 0;
  reflector = new Reflector({
    ...{ connection, clock, kind: MAPS, random: () => 0.5 },
    onReplace: () => undefined,
    onChange: (_type, { metadata }) => {
      if (++refusals <= 2) throw new Error("can't take it");
      told.push(`took ${metadata.name}`);
    },
    onTrouble: (error) => told.push(`trouble ${error.message}`),
    onRecovered: () => told.push("recovered"),
  });
  reflector.start();
  await watching();
  server.create(map("b"));
  await eventually(() => assert.deepEqual(told, ["trouble can't take it"]), within);
  await inTime(400, () => assert.deepEqual(told, ["trouble can't take it", "took b", "recovered"]));
  assert.equal(lists(), 1);
});

test("gives up a watch in which nothing is heard, and opens another", async () => {
  follow(MAPS);
  await hears("replace");
  await watching();
  await clock.advance(149_000);
  assert.equal(watchRequests().length, 1);
  await clock.advance(1_000);
  await hears("trouble 0 nothing was heard for 150 s");
  await inTime(400, () => assert.equal(watchRequests().length, 2));
  await watching();
  server.create(map("a"));
  await hears("changed v1 ConfigMap a", "recovered");
  assert.equal(lists(), 1);
});

test("keeps a watch that has nothing but bookmarks to tell", async () => {
  follow(MAPS);
  await hears("replace");
  await watching();
  for (let minute = 0; minute < 5; minute++) {
    server.sendBookmarks();
    server.create(map(`m${minute}`));
    await hears(`changed v1 ConfigMap m${minute}`);
    await clock.advance(100_000);
  }
  assert.equal(watchRequests().length, 1);
});

test("asks a failing server less and less often, says each reason once, and recovers", async () => {
  server.failNext(...Array.from({ length: 4 }, () => new ApiFailure(500, "InternalError", "etcd is away")));
  server.failNext(new ApiFailure(403, "Forbidden", 'configmaps is forbidden: User "x" cannot list'));
  follow(MAPS);
  await hears("trouble 500 etcd is away");
  // Half of each bound, because the test's chance is always 0.5.
  for (const [index, delayMs] of [400, 800, 1600].entries()) {
    await clock.advance(delayMs - 1);
    assert.equal(server.requests.length, index + 1);
    await clock.advance(1);
    await eventually(() => assert.equal(server.requests.length, index + 2), within);
    await eventually(() => assert.equal(clock.pending, 1), within);
  }
  await clock.advance(3200);
  await hears('trouble 403 configmaps is forbidden: User "x" cannot list');
  await clock.advance(6400);
  await hears("replace", "recovered");
});

test("leaves a server alone for as long as it asks", async () => {
  server.failNext(new ApiFailure(429, "TooManyRequests", "too many requests", 7));
  follow(MAPS);
  await hears("trouble 429 too many requests");
  await clock.advance(6_999);
  // By when this is answered, a list would have been asked for too.
  await getJson(connection, "/version", {}, { clock: systemClock, timeoutMs: 3000 });
  assert.equal(server.requests.length, 2);
  await clock.advance(1);
  await hears("replace", "recovered");
});

test("does not wait for ever for a list", async () => {
  server.hold();
  follow(MAPS);
  await eventually(() => assert.equal(server.requests.length, 1), within);
  await clock.advance(60_000);
  await hears("trouble 0 no answer within 60 s");
  server.release();
  await clock.advance(400);
  await hears("replace", "recovered");
});

test("waits quietly for a kind that is not installed, and lets its objects go when it is removed", async () => {
  server.setCrds([]);
  follow(ROUTES);
  await hears("replace");
  server.setCrds(MESH_CRDS);
  server.create(route("a"));
  await inTime(5_000, () => assert.deepEqual(told.at(-1), "replace a"));
  told = [];
  await watching();
  server.setCrds([]);
  await inTime(400, () => assert.deepEqual(told, ["replace"]));
});

test("reads the newest version of a kind that the server has", async () => {
  server.create(route("a"));
  server.setCrds(MESH_CRDS.map((each) => ({ ...each, versions: ["v1beta1"] })));
  follow(ROUTES);
  await hears("replace a");
  await watching();
  server.create({ ...route("b"), apiVersion: "networking.istio.io/v1beta1" });
  await hears("changed networking.istio.io/v1beta1 VirtualService b");
});

test("tells nothing any more once stopped, and lets its connection go", async () => {
  server.create(map("a"));
  follow(MAPS);
  await hears("replace a");
  await watching();
  reflector!.stop();
  await watching(0);
  server.create(map("b"));
  await clock.advance(1_000_000);
  assert.deepEqual(told, []);
  assert.equal(clock.pending, 0);
});
