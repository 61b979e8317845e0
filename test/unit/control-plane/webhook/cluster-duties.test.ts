// What the webhooks write to the cluster, against the API server double: caBundles, events, statuses; and what is asked of it.
import assert from "node:assert/strict";
import { afterEach, beforeEach, describe, test } from "node:test";
import type { Clock } from "../../../../src/common/clock.ts";
import { systemClock } from "../../../../src/common/clock.ts";
import { createLog } from "../../../../src/common/log.ts";
import { CaBundle } from "../../../../src/control-plane/webhook/ca-bundle.ts";
import { ClusterFacts } from "../../../../src/control-plane/webhook/cluster-facts.ts";
import { InjectionEvents } from "../../../../src/control-plane/webhook/injection-events.ts";
import type { InjectionReport } from "../../../../src/control-plane/webhook/injection-webhook.ts";
import { ObjectStatus } from "../../../../src/control-plane/webhook/object-status.ts";
import { UnseenAnnotations } from "../../../../src/control-plane/webhook/unseen-annotations.ts";
import type { ClusterConnection } from "../../../../src/kube/cluster-connection.ts";
import { KubeObjects } from "../../../../src/kube/objects.ts";
import { webhookConfigurations } from "../../../../src/manifests/install/webhook-configurations.ts";
import type { WebhookConfiguration } from "../../../../src/manifests/install/webhook-configurations.ts";
import { resolveValues } from "../../../../src/manifests/install/profiles.ts";
import type { PodTemplate } from "../../../../src/manifests/kube-objects.ts";
import type { ApiServer } from "../../../support/api-server/api-server.ts";
import { ApiFailure } from "../../../support/api-server/api-status.ts";
import { startConnectedApiServer } from "../../../support/api-server/connected.ts";
import type { ConnectedApiServer } from "../../../support/api-server/connected.ts";
import { eventually } from "../../../support/eventually.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { podOf, reviewOf } from "../../../support/webhook/reviews.ts";

const within = { withinMs: 5000 };

let api: ConnectedApiServer;
let server: ApiServer;
let connection: ClusterConnection;
let objects: KubeObjects;
let text: string;
const log = createLog({ level: "debug", format: "text", stream: { write: (line) => (text += line) } });
const stops: (() => void)[] = [];

beforeEach(async () => {
  text = "";
  api = await startConnectedApiServer();
  ({ server, connection } = api);
  objects = new KubeObjects({ connection, clock: systemClock });
});
afterEach(async () => {
  for (const each of stops.splice(0)) each();
  await api.close();
});

describe("the caBundle of a webhook configuration", () => {
  const [injector] = webhookConfigurations(resolveValues([]).values) as [WebhookConfiguration];
  const { name } = injector.metadata as { name: string };
  const PATH = `/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/${name}`;
  const stored = async (): Promise<WebhookConfiguration> =>
    (await objects.get({ apiVersion: injector.apiVersion, kind: injector.kind, name })) as unknown as WebhookConfiguration;
  const bundles = async (): Promise<unknown[]> => (await stored()).webhooks.map((each) => each.clientConfig.caBundle);
  let writes: number;

  function keep(rootsPem: string, clock = systemClock): CaBundle {
    writes = 0;
    const bundle = new CaBundle({
      ...{ connection, objects, clock, log, rootsPem, kind: "MutatingWebhookConfiguration", name },
      onWrite: () => writes++,
    });
    stops.push(() => bundle.stop());
    bundle.start();
    return bundle;
  }
  const isAll = async (rootsPem: string): Promise<void> => {
    const wanted = Buffer.from(rootsPem).toString("base64");
    for (const each of await bundles()) assert.equal(each, wanted);
  };

  test("is put into every webhook, under a manager of its own, and nothing else is", async () => {
    server.create(injector as never);
    const bundle = keep("ROOTS");
    assert.equal(bundle.isInPlace, false);
    await eventually(() => assert.ok(bundle.isInPlace), within);
    await isAll("ROOTS");
    assert.deepEqual(
      (await stored()).webhooks.map(({ clientConfig: { caBundle: _caBundle, ...rest }, ...each }) => ({ ...each, clientConfig: rest })),
      injector.webhooks,
    );
    const patch = server.requests.find((each) => each.method === "PATCH");
    assert.equal(patch?.query.toString(), "fieldManager=meshctl-controller-webhook&force=true");
    assert.equal(writes, 1);
  });

  test("is read by name only", async () => {
    server.create(injector as never);
    const bundle = keep("ROOTS");
    await eventually(() => assert.ok(bundle.isInPlace), within);
    const reads = server.requests.filter((each) => each.method === "GET" && each.path === PATH.slice(0, PATH.lastIndexOf("/")));
    assert.ok(reads.length >= 2);
    for (const each of reads) assert.equal(each.query.get("fieldSelector"), `metadata.name=${name}`);
  });

  test("comes back when somebody changes or removes it, and says meanwhile that it isn't in place", async () => {
    server.create(injector as never);
    const bundle = keep("ROOTS");
    await eventually(() => assert.ok(bundle.isInPlace), within);
    server.hold();
    server.replace(injector as never);
    await eventually(() => assert.equal(bundle.isInPlace, false), within);
    server.release();
    await eventually(() => assert.ok(bundle.isInPlace), within);
    await isAll("ROOTS");
  });

  test("makes no configuration that is only a caBundle where somebody has just deleted it", async () => {
    server.create(injector as never);
    server.onRequest = ({ method }) => {
      if (method === "PATCH") server.delete(injector as never);
    };
    const bundle = keep("ROOTS");
    await eventually(() => assert.match(text, /can't put the caBundle in place: .*no existing object/), within);
    await eventually(() => assert.ok(bundle.isInPlace), within);
    assert.equal(await stored(), undefined);
  });

  test("is written again after a refusal", async () => {
    server.create(injector as never);
    server.onRequest = ({ method }) => {
      if (method !== "PATCH") return;
      server.onRequest = () => undefined;
      server.failNext(new ApiFailure(403, "Forbidden", "no"));
    };
    const bundle = keep("ROOTS");
    await eventually(() => assert.ok(bundle.isInPlace), within);
    assert.match(text, /can't put the caBundle in place: no; allow the controller to patch mutatingwebhookconfigurations/);
  });

  test("is tried again soon, however often it had to be put right long ago", async () => {
    server.create(injector as never);
    const clock = new ManualClock();
    const bundle = keep("ROOTS", clock);
    await eventually(() => assert.ok(bundle.isInPlace), within);
    let refusals = 0;
    server.onRequest = ({ method }) => {
      if (method !== "PATCH" || refusals === 0) return;
      refusals--;
      server.failNext(new ApiFailure(503, "ServiceUnavailable", "later"));
    };
    for (let round = 1; round <= 8; round++) {
      await clock.advance(61_000);
      refusals = 1;
      server.replace(injector as never);
      await eventually(() => assert.equal(text.match(/can't put the caBundle in place/g)?.length, round), within);
      // The first delay of the backoff is no longer.
      await eventually(() => assert.ok(clock.pending > 1), within);
      await clock.advance(500);
      await eventually(() => assert.ok(bundle.isInPlace), within);
    }
  });

  test("is of no concern where there is no such configuration, until there is", async () => {
    const bundle = keep("ROOTS");
    await eventually(() => assert.ok(bundle.isInPlace), within);
    assert.match(text, /there is no such webhook configuration/);
    server.create(injector as never);
    await eventually(() => isAll("ROOTS"), within);
    assert.equal(server.requests.filter((each) => each.method === "POST").length, 0);
  });

  test("is not fought over faster and faster by two who want it differently", async () => {
    server.create(injector as never);
    const clock = new ManualClock();
    const bundle = keep("ROOTS", clock);
    await eventually(() => assert.ok(bundle.isInPlace), within);
    for (let round = 0; round < 5; round++) {
      server.replace(injector as never);
      await eventually(() => assert.equal(bundle.isInPlace, false), within);
      assert.equal(writes, round + 1);
      // However long it waits, not longer than the backoff's limit.
      await clock.advance(30_000);
      await eventually(() => assert.ok(bundle.isInPlace), within);
    }
  });
});

describe("events of injection", () => {
  const report = (changes: Partial<InjectionReport> = {}, dryRun = false): InjectionReport => ({
    ...{ outcome: "injected", reason: "namespace", text: "label meshctl.io/inject=enabled on the namespace" },
    pod: podOf() as unknown as PodTemplate,
    request: reviewOf(podOf(), { dryRun })["request"] as InjectionReport["request"],
    ...changes,
  });
  const events = async (): Promise<readonly Record<string, unknown>[]> => (await objects.list({ apiVersion: "v1", kind: "Event" })) ?? [];
  let dropped: number;
  const recorder = (clock: Clock): InjectionEvents => {
    dropped = 0;
    const made = new InjectionEvents({ objects, clock, log, instance: "controller-0", onDropped: () => dropped++ });
    stops.push(() => made.stop());
    return made;
  };

  test("are about the object that made the pod, in its namespace", async () => {
    recorder(new ManualClock()).record(report({ outcome: "refused", text: "no" }));
    const [event] = await eventually(async () => {
      const found = await events();
      assert.equal(found.length, 1);
      return found;
    }, within);
    assert.deepEqual(event!["involvedObject"], {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      namespace: "shop",
      name: "web-5d4f8",
      uid: "u-1",
    });
    assert.deepEqual(
      [event!["type"], event!["reason"], event!["message"]],
      ["Warning", "InjectionRefused", "the pod can't have a sidecar: no"],
    );
  });

  test("count what comes again instead of telling it again", async () => {
    const clock = new ManualClock();
    const made = recorder(clock);
    made.record(report());
    await eventually(async () => assert.equal((await events()).length, 1), within);
    for (let more = 0; more < 99; more++) made.record(report());
    await clock.advance(10_000);
    await eventually(async () => assert.equal((await events())[0]!["count"], 100), within);
    assert.equal(server.requests.filter((each) => each.method === "PATCH").length, 1);
  });

  test("are not written for a dry run, about a pod that nobody made, nor when the server asks again", () => {
    const made = recorder(new ManualClock());
    made.record(report({ outcome: "skipped", reason: "injected-already" }));
    made.record(report({}, true));
    made.record(report({ pod: { metadata: { name: "a" }, spec: { containers: [] } } }));
    assert.deepEqual([server.requests.length, dropped], [0, 0]);
  });

  test("are dropped and counted when there are too many", async () => {
    const clock = new ManualClock();
    const made = recorder(clock);
    const owners = Array.from({ length: 40 }, (_, index) =>
      podOf({ ownerReferences: [{ kind: "Job", name: `j${index}`, uid: `${index}`, controller: true }] }),
    );
    for (const pod of owners) made.record(report({ pod: pod as unknown as PodTemplate }));
    assert.equal(dropped, 15);
    await eventually(async () => assert.equal((await events()).length, 25), within);
  });

  test("are written on when the clock is set back by an hour", () => {
    let nowMs = Date.UTC(2026, 0, 1);
    const made = recorder({ now: () => nowMs, after: () => () => undefined });
    nowMs -= 3_600_000;
    made.record(report());
    assert.equal(dropped, 0);
  });
});

describe("the status of mesh objects", () => {
  const bad = {
    apiVersion: "networking.istio.io/v1",
    kind: "DestinationRule",
    metadata: { name: "a", namespace: "shop" },
    spec: { hots: "x" },
  };
  let writes: number;
  function marker(isLeader: () => boolean, clock: ManualClock): ObjectStatus {
    writes = 0;
    const made = new ObjectStatus({ objects, isLeader, clock, log, onWrite: () => writes++ });
    stops.push(() => made.stop());
    return made;
  }
  const change = (object: unknown, name = "a"): Parameters<ObjectStatus["apply"]>[0] => {
    const value = { ...bad, ...(object as typeof bad) };
    const origin = { file: "cluster", locate: () => ({ line: 0, column: 0 }) };
    const raw = { apiVersion: bad.apiVersion, kind: bad.kind, namespace: "shop", name, value, origin };
    return [{ part: `DestinationRule shop/${name}`, objects: [raw], problems: [], readable: true }];
  };
  const conditions = async (name = "a"): Promise<readonly Record<string, unknown>[]> => {
    const found = await objects.get({ ...bad, namespace: "shop", name });
    return (found?.["status"] as { conditions?: [] } | undefined)?.conditions ?? [];
  };

  test("tells every problem, is written once, and taken back when the mistake is gone", async () => {
    const made = marker(() => true, new ManualClock());
    made.apply(change(server.create(bad)));
    await eventually(async () => assert.equal((await conditions())[0]?.["status"], "False"), within);
    assert.match(String((await conditions())[0]?.["message"]), /spec\.hots: unknown field; did you mean "host"\?/);
    made.apply(change(await objects.get({ ...bad, namespace: "shop", name: "a" })));
    const fixed = server.replace({ ...bad, spec: { host: "x" } });
    assert.equal(writes, 1);
    made.apply(change(fixed));
    await eventually(async () => assert.equal((await conditions())[0]?.["status"], "True"), within);
    const patches = server.requests.filter((each) => each.method === "PATCH").map((each) => each.path);
    assert.deepEqual([...new Set(patches)], ["/apis/networking.istio.io/v1/namespaces/shop/destinationrules/a/status"]);
    assert.equal(patches.length, 2);
  });

  test("is written by the leader alone, and by a new one", async () => {
    const clock = new ManualClock();
    let isLeader = false;
    marker(() => isLeader, clock).apply(change(server.create(bad)));
    for (let round = 0; round < 5; round++) {
      await clock.advance(2_000);
      assert.deepEqual(await conditions(), []);
    }
    assert.ok(server.requests.every((each) => each.method !== "PATCH"));
    isLeader = true;
    await clock.advance(2_000);
    await eventually(async () => assert.equal((await conditions()).length, 1), within);
  });

  test("of an object that has changed meanwhile is left to what comes", async () => {
    const old = server.create(bad);
    server.replace({ ...bad, spec: { host: "x" } });
    const clock = new ManualClock();
    marker(() => true, clock).apply(change(old));
    await eventually(() => assert.ok(server.requests.some((each) => each.method === "PATCH")), within);
    for (let round = 0; round < 5; round++) {
      await clock.advance(120_000);
      assert.deepEqual(await conditions(), []);
    }
    assert.equal(server.requests.filter((each) => each.method === "PATCH").length, 1);
  });

  test("is tried again after a refusal, which the log tells once", async () => {
    const clock = new ManualClock();
    let refusals = 0;
    server.onRequest = ({ method }) => {
      if (method === "PATCH" && ++refusals <= 3) server.failNext(new ApiFailure(403, "Forbidden", "no"));
    };
    marker(() => true, clock).apply(change(server.create(bad)));
    await eventually(async () => {
      await clock.advance(60_000);
      assert.equal((await conditions()).length, 1);
    }, within);
    assert.equal(text.match(/can't write its status: no; allow the controller/g)?.length, 1);
  });

  test("that the server refuses to keep holds up no other's", async () => {
    server.onRequest = ({ method, path }) => {
      if (method === "PATCH" && path.includes("/destinationrules/a/")) server.failNext(new ApiFailure(422, "Invalid", "no"));
    };
    const made = marker(() => true, new ManualClock());
    const [first, second] = [change(server.create(bad)), change(server.create({ ...bad, metadata: { ...bad.metadata, name: "b" } }), "b")];
    made.apply([...first, ...second]);
    await eventually(async () => assert.equal((await conditions("b")).length, 1), within);
    assert.deepEqual(await conditions(), []);
  });
});

describe("a namespace that asks for sidecars by an annotation", () => {
  const namespace = (metadata: object): Parameters<UnseenAnnotations["apply"]>[0] => {
    const value = { apiVersion: "v1", kind: "Namespace", metadata: { name: "shop", ...metadata } };
    const origin = { file: "cluster", locate: () => ({ line: 0, column: 0 }) };
    const raw = { apiVersion: "v1", kind: "Namespace", namespace: "", name: "shop", value, origin };
    return [{ part: "Namespace /shop", objects: [raw], problems: [], readable: true }];
  };
  const asking = { annotations: { "linkerd.io/inject": "enabled" } };

  test("is named in the log, once, as no API server asks about its pods", () => {
    const hints = new UnseenAnnotations(log);
    hints.apply(namespace(asking));
    hints.apply(namespace(asking));
    assert.equal(
      text.match(/warn +its pods get no sidecar .*annotation linkerd\.io\/inject=enabled.*label it so.* namespace=shop/g)?.length,
      1,
    );
    hints.apply(namespace({}));
    hints.apply(namespace(asking));
    assert.equal(text.match(/its pods get no sidecar/g)?.length, 2);
  });

  test("is not, when a label says the same, or no", () => {
    const hints = new UnseenAnnotations(log);
    for (const word of ["enabled", "disabled"]) hints.apply(namespace({ ...asking, labels: { "meshctl.io/inject": word } }));
    assert.equal(text, "");
  });
});

describe("the facts of a cluster", () => {
  test("are told in the log: kinds of the mesh's groups that it doesn't read, and a Kubernetes that is too old", async () => {
    const gateway = { group: "networking.istio.io", versions: ["v1"], kind: "Gateway", plural: "gateways", namespaced: true };
    server.setCrds([gateway]);
    server.kubernetesVersion = "v1.28.3";
    const facts = new ClusterFacts({ connection, clock: systemClock, log });
    stops.push(() => facts.stop());
    assert.equal(facts.noNativeSidecars, undefined);
    facts.start();
    await eventually(() => assert.match(text, /kinds that this mesh doesn't read; .*: Gateway \(networking\.istio\.io\)/), within);
    assert.match(text, /warn +the cluster runs Kubernetes 1\.28\.3; meshctl needs 1\.29 or newer/);
    assert.match(facts.noNativeSidecars ?? "", /1\.28\.3.*nativeSidecar/);
  });

  test("are asked for again while the API server is away", async () => {
    const clock = new ManualClock();
    const facts = new ClusterFacts({ connection, clock, log });
    stops.push(() => facts.stop());
    server.kubernetesVersion = "v1.20.0";
    server.failNext(new ApiFailure(503, "ServiceUnavailable", "later"));
    facts.start();
    await eventually(() => assert.match(text, /can't ask the cluster about itself/), within);
    await clock.advance(10_000);
    await eventually(() => assert.ok(facts.noNativeSidecars !== undefined), within);
  });
});
