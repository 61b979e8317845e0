// The client for objects of any kind against the API server double.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import { systemClock } from "../../../src/common/clock.ts";
import { ApiError } from "../../../src/kube/api-error.ts";
import type { ClusterConnection } from "../../../src/kube/cluster-connection.ts";
import { KubeObjects } from "../../../src/kube/objects.ts";
import { MESH_CRDS } from "../../support/api-server/api-resources.ts";
import type { ApiServer } from "../../support/api-server/api-server.ts";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { startConnectedApiServer } from "../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../support/api-server/connected.ts";
import { eventually } from "../../support/eventually.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const MAP = { apiVersion: "v1", kind: "ConfigMap" };
const map = (name: string, data = {}, labels = {}) => ({ ...MAP, metadata: { name, namespace: "shop", labels }, data });

let api: ConnectedApiServer;
let server: ApiServer;
let connection: ClusterConnection;
let objects: KubeObjects;

beforeEach(async () => {
  api = await startConnectedApiServer();
  ({ server, connection } = api);
  objects = new KubeObjects({ connection, clock: systemClock });
});
afterEach(async () => {
  await api.close();
});

const refused = (code: number, reason: string) => (error: unknown) =>
  error instanceof ApiError && error.code === code && error.reason === reason;
const asked = (path: string): number => server.requests.filter((each) => each.path === path).length;

describe("objects of any kind", () => {
  test("are created, read, replaced by resource version, and deleted", async () => {
    const created = await objects.create(map("a", { x: "1" }));
    assert.equal(created.metadata.namespace, "shop");
    await assert.rejects(objects.create(map("a")), refused(409, "AlreadyExists"));
    const replaced = await objects.replace({ ...created, data: { x: "2" } });
    await assert.rejects(objects.replace({ ...created, data: { x: "3" } }), refused(409, "Conflict"));
    assert.deepEqual((await objects.get({ ...MAP, namespace: "shop", name: "a" }))?.["data"], { x: "2" });
    const stale = { resourceVersion: created.metadata.resourceVersion! };
    await assert.rejects(objects.delete({ ...MAP, namespace: "shop", name: "a" }, stale), refused(409, "Conflict"));
    await assert.rejects(objects.delete({ ...MAP, namespace: "shop", name: "a" }, { uid: "another" }), refused(409, "Conflict"));
    assert.equal(await objects.delete({ ...MAP, namespace: "shop", name: "a" }, { uid: replaced.metadata.uid! }), true);
    assert.equal(await objects.delete({ ...MAP, namespace: "shop", name: "a" }), false);
    assert.equal(await objects.get({ ...MAP, namespace: "shop", name: "a" }), undefined);
  });

  test("are patched in three ways, the status apart from the rest", async () => {
    const name = { ...MAP, namespace: "shop", name: "p" };
    await objects.serverSideApply(map("p", { x: "1", y: "1" }), { fieldManager: "tester", force: true });
    assert.deepEqual((await objects.mergePatch(name, { data: { x: null } }))["data"], { y: "1" });
    assert.deepEqual((await objects.jsonPatch(name, [{ op: "add", path: "/data/z", value: "2" }]))["data"], { y: "1", z: "2" });
    const after = await objects.mergePatch(name, { data: { y: "9" }, status: { ok: true } }, { subresource: "status" });
    assert.deepEqual([after["data"], after["status"]], [{ y: "1", z: "2" }, { ok: true }]);
    const applied = server.requests.find((each) => each.method === "PATCH");
    assert.equal(applied?.query.toString(), "fieldManager=tester&force=true");
  });

  test("are not kept by a dry run", async () => {
    assert.equal((await objects.create(map("dry"), { dryRun: true, fieldValidation: "Strict" })).metadata.name, "dry");
    assert.equal(await objects.get({ ...MAP, namespace: "shop", name: "dry" }), undefined);
    assert.equal(server.requests.find((each) => each.method === "POST")?.query.toString(), "dryRun=All&fieldValidation=Strict");
  });

  test("are listed in pages, by namespace and label, with their kind", async () => {
    for (let index = 0; index < 501; index++) server.create(map(`m${index}`, {}, index === 7 ? { app: "x" } : {}));
    server.create({ ...MAP, metadata: { name: "elsewhere", namespace: "other" } });
    assert.equal((await objects.list(MAP))?.length, 502);
    assert.equal((await objects.list(MAP, { namespace: "shop" }))?.length, 501);
    const [found, ...more] = (await objects.list(MAP, { labelSelector: "app=x" })) ?? [];
    assert.deepEqual([found?.kind, found?.apiVersion, found?.metadata.name, more.length], ["ConfigMap", "v1", "m7", 0]);
  });

  test("are listed at once when the pages expire underway", async () => {
    for (let index = 0; index < 501; index++) server.create(map(`m${index}`));
    server.onRequest = ({ query }) => query.has("continue") && server.forgetPages();
    assert.equal((await objects.list(MAP))?.length, 501);
  });

  test("need one discovery of their group, whoever asks over the connection", async () => {
    const other = new KubeObjects({ connection, clock: systemClock });
    await Promise.all([objects.list(MAP), other.list(MAP), objects.get({ apiVersion: "v1", kind: "Namespace", name: "x" })]);
    await other.list(MAP);
    assert.equal(asked("/api/v1"), 1);
    assert.equal(await objects.isNamespaced(MAP), true);
    assert.equal(await objects.isNamespaced({ apiVersion: "v1", kind: "Namespace" }), false);
  });

  test("don't lose the discovery that they wait for when who asked first is told to stop", async () => {
    const stopping = new AbortController();
    const first = new KubeObjects({ connection, clock: systemClock, signal: stopping.signal });
    server.hold();
    const broken = assert.rejects(first.list(MAP), (error: ApiError) => error.code === 0);
    await eventually(() => assert.equal(asked("/api/v1"), 1), { withinMs: 3_000 });
    const second = objects.list(MAP);
    stopping.abort();
    await broken;
    server.release();
    assert.deepEqual(await second, []);
    assert.equal(asked("/api/v1"), 1);
  });

  test("of a kind whose CRD comes later are found then", async () => {
    const route = { apiVersion: "networking.istio.io/v1", kind: "VirtualService" };
    server.setCrds([]);
    assert.equal(await objects.list(route), undefined);
    await assert.rejects(objects.create({ ...route, metadata: { name: "r" } }), (error: ApiError) => {
      assert.match(error.message, /the server has no kind VirtualService in networking\.istio\.io\/v1/);
      return error.code === 404;
    });
    server.setCrds(MESH_CRDS);
    assert.equal((await objects.create({ ...route, metadata: { name: "r" } })).metadata.namespace, "default");
    assert.equal((await objects.list(route))?.length, 1);
  });

  test("that are only answered are created too", async () => {
    server.reviews.set("TokenReview", (spec) => ({ authenticated: spec["token"] === "good" }));
    const review = { apiVersion: "authentication.k8s.io/v1", kind: "TokenReview", metadata: {}, spec: { token: "good" } };
    assert.deepEqual((await objects.create(review))["status"], { authenticated: true });
  });

  test("say why the server refuses, and how long it wants to be left alone", async () => {
    await objects.list(MAP);
    server.failNext(new ApiFailure(403, "Forbidden", "you may not"), new ApiFailure(429, "TooManyRequests", "slow down", 7));
    await assert.rejects(objects.list(MAP), refused(403, "Forbidden"));
    await assert.rejects(objects.list(MAP), (error: ApiError) => error.code === 429 && error.retryAfterMs === 7000);
  });

  test("give up on a server that doesn't answer in time", async () => {
    const clock = new ManualClock();
    const patient = new KubeObjects({ connection, clock, timeoutMs: 5000 });
    server.hold();
    const asking = patient.list(MAP);
    const given = assert.rejects(asking, (error: ApiError) => error.code === 0 && error.message === "no answer within 5 s");
    await clock.advance(5000);
    await given;
  });
});
