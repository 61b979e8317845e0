// The API server double itself: what our own tests believe about a real one.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Agent, fetch } from "undici";
import { ApiFailure } from "../../support/api-server/api-status.ts";
import { ApiServer } from "../../support/api-server/api-server.ts";
import { MESH_CRDS } from "../../support/api-server/api-resources.ts";
import { eventually } from "../../support/eventually.ts";

/** Whatever JSON holds. */
type Json = ReturnType<typeof JSON.parse>;

const server = new ApiServer();
let agent: Agent;
before(async () => {
  await server.start();
  agent = new Agent({ connect: { ca: server.certificate } });
});
after(async () => {
  await agent.destroy();
  await server.stop();
});

async function ask(method: string, path: string, body?: unknown, type = "application/json"): Promise<{ code: number; body: Json }> {
  const content = body === undefined ? {} : { body: JSON.stringify(body), headers: { "content-type": type } };
  const response = await fetch(server.url + path, { method, dispatcher: agent, ...content });
  return { code: response.status, body: await response.json() };
}
const configMap = (name: string, data = {}): Record<string, unknown> => ({ apiVersion: "v1", kind: "ConfigMap", metadata: { name }, data });
const MAPS = "/api/v1/namespaces/shop/configmaps";

describe("the API server double", () => {
  test("creates, refuses what is there already, updates by resource version, and deletes", async () => {
    const created = await ask("POST", MAPS, configMap("a", { x: "1" }));
    assert.equal(created.code, 201);
    assert.equal(created.body.metadata.namespace, "shop");
    assert.equal((await ask("POST", MAPS, configMap("a"))).body.reason, "AlreadyExists");
    const changed = await ask("PUT", `${MAPS}/a`, { ...created.body, data: { x: "2" } });
    assert.equal(changed.code, 200);
    assert.ok(Number(changed.body.metadata.resourceVersion) > Number(created.body.metadata.resourceVersion));
    const stale = await ask("PUT", `${MAPS}/a`, { ...created.body, data: { x: "3" } });
    assert.deepEqual([stale.code, stale.body.reason], [409, "Conflict"]);
    assert.equal((await ask("GET", `${MAPS}/a`)).body.data.x, "2");
    assert.equal((await ask("DELETE", `${MAPS}/a`)).code, 200);
    assert.deepEqual([(await ask("GET", `${MAPS}/a`)).code, (await ask("DELETE", `${MAPS}/a`)).code], [404, 404]);
  });

  test("patches in three ways, and does not count a change that changes nothing", async () => {
    const { body: created } = await ask("POST", MAPS, configMap("p", { x: "1", y: "1" }));
    const merged = await ask("PATCH", `${MAPS}/p`, { data: { x: null, z: "1" } }, "application/merge-patch+json");
    assert.deepEqual(merged.body.data, { y: "1", z: "1" });
    const operations = [{ op: "replace", path: "/data/y", value: "2" }];
    assert.deepEqual((await ask("PATCH", `${MAPS}/p`, operations, "application/json-patch+json")).body.data, { y: "2", z: "1" });
    const before = await ask("GET", `${MAPS}/p`);
    const same = await ask("PATCH", `${MAPS}/p`, { data: { y: "2" } }, "application/merge-patch+json");
    assert.equal(same.body.metadata.resourceVersion, before.body.metadata.resourceVersion);
    assert.equal(same.body.metadata.uid, created.metadata.uid);
    const applied = await ask("PATCH", `${MAPS}/applied`, configMap("applied"), "application/apply-patch+yaml");
    assert.equal(applied.body.metadata.name, "applied");
  });

  test("keeps status and the rest apart", async () => {
    const path = "/api/v1/namespaces/shop/pods";
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: { nodeName: "n" } };
    await ask("POST", path, pod);
    await ask("PUT", `${path}/p/status`, { ...pod, spec: {}, status: { phase: "Running" } });
    const { body } = await ask("PUT", `${path}/p`, { ...pod, spec: { nodeName: "m" } });
    assert.deepEqual([body.spec, body.status], [{ nodeName: "m" }, { phase: "Running" }]);
  });

  test("answers nobody who has left while held, and keeps no watch for them", async () => {
    const leaving = new Agent({ connect: { ca: server.certificate } });
    const { connections } = server;
    const stray: unknown[] = [];
    const onStray = (error: unknown): void => void stray.push(error);
    process.on("unhandledRejection", onStray);
    const { resourceVersion } = (await ask("GET", MAPS)).body.metadata;
    server.hold();
    const seen = server.requests.length;
    const asked = Promise.allSettled([
      fetch(`${server.url}${MAPS}`, { method: "POST", dispatcher: leaving, body: JSON.stringify(configMap("held")) }),
      fetch(`${server.url}${MAPS}?watch=true&resourceVersion=${resourceVersion}`, { dispatcher: leaving }),
    ]);
    await eventually(() => assert.equal(server.requests.length, seen + 2), { withinMs: 4000 });
    await leaving.destroy();
    for (const { status } of await asked) assert.equal(status, "rejected");
    await eventually(() => assert.equal(server.connections, connections), { withinMs: 4000 });
    server.release();
    assert.equal((await ask("GET", `${MAPS}/held`)).code, 404);
    process.off("unhandledRejection", onStray);
    assert.deepEqual([stray, server.watches()], [[], 0]);
  });

  test("lists in pages that show one moment, until it has forgotten them", async () => {
    const path = "/api/v1/namespaces/many/configmaps";
    for (const name of ["a", "b", "c"]) await ask("POST", path, configMap(name));
    const first = (await ask("GET", `${path}?limit=2`)).body;
    assert.deepEqual([first.kind, first.metadata.remainingItemCount, first.items[0].kind], ["ConfigMapList", 1, undefined]);
    await ask("POST", path, configMap("d"));
    const second = (await ask("GET", `${path}?limit=2&continue=${first.metadata.continue}`)).body;
    assert.deepEqual([second.items.map((each: Json) => each.metadata.name), second.metadata.continue], [["c"], undefined]);
    assert.equal(second.metadata.resourceVersion, first.metadata.resourceVersion);
    server.forgetPages();
    assert.equal((await ask("GET", `${path}?limit=2&continue=${first.metadata.continue}`)).code, 410);
  });

  test("watches from a version on, with bookmarks, and says 410 of a version that is forgotten", async () => {
    const { body: list } = await ask("GET", "/api/v1/namespaces/live/configmaps");
    const from = list.metadata.resourceVersion as string;
    await ask("POST", "/api/v1/namespaces/live/configmaps", configMap("a"));
    const query = `watch=true&allowWatchBookmarks=true&resourceVersion=${from}`;
    const response = await fetch(`${server.url}/api/v1/configmaps?${query}`, { dispatcher: agent });
    const lines: Json[] = [];
    const reading = (async () => {
      let text = "";
      for await (const chunk of response.body!) {
        text += Buffer.from(chunk as Uint8Array).toString();
        for (let end = text.indexOf("\n"); end >= 0; end = text.indexOf("\n")) {
          lines.push(JSON.parse(text.slice(0, end)));
          text = text.slice(end + 1);
        }
      }
    })();
    await ask("DELETE", "/api/v1/namespaces/live/configmaps/a");
    server.sendBookmarks();
    await eventually(
      () =>
        assert.deepEqual(
          lines.map((each) => each.type),
          ["ADDED", "DELETED", "BOOKMARK"],
        ),
      { withinMs: 2000 },
    );
    assert.equal(lines[2].object.metadata.resourceVersion, String(server.store.version));
    server.endWatches();
    await reading;
    await eventually(() => assert.equal(server.watches(), 0), { withinMs: 2000 });
    server.store.compact();
    const gone = await fetch(`${server.url}/api/v1/configmaps?${query}`, { dispatcher: agent });
    assert.deepEqual([gone.status, JSON.parse(await gone.text()).object.code], [200, 410]);
  });

  test("knows a kind only while its CRD is installed", async () => {
    const path = "/apis/networking.istio.io/v1/virtualservices";
    assert.equal((await ask("GET", path)).body.kind, "VirtualServiceList");
    server.setCrds(MESH_CRDS.map((each) => ({ ...each, versions: ["v1beta1"] })));
    assert.equal((await fetch(server.url + path, { dispatcher: agent })).status, 404);
    assert.equal((await ask("GET", path.replace("/v1/", "/v1beta1/"))).code, 200);
    server.setCrds(MESH_CRDS);
  });

  test("lets in by token, fails when told to, and answers nothing while it is held", async () => {
    server.tokens = new Set(["good"]);
    assert.equal((await ask("GET", MAPS)).code, 401);
    server.tokens = undefined;
    server.failNext(new ApiFailure(503, "ServiceUnavailable", "later"));
    assert.deepEqual([(await ask("GET", MAPS)).code, (await ask("GET", MAPS)).code], [503, 200]);
    server.hold();
    let answered = false;
    const waiting = ask("GET", MAPS).then(() => (answered = true));
    const seen = server.requests.length;
    await eventually(() => assert.ok(server.requests.length > seen), { withinMs: 2000 });
    assert.equal(answered, false);
    server.release();
    await waiting;
  });
});
