// Reviews of mesh configuration, and what its status shall say.
import assert from "node:assert/strict";
import { beforeEach, describe, test } from "node:test";
import { createLog } from "../../../../src/common/log.ts";
import { parseReview, toReview } from "../../../../src/control-plane/webhook/admission-review.ts";
import type { Json } from "../../../../src/control-plane/webhook/admission-review.ts";
import { ValidationWebhook } from "../../../../src/control-plane/webhook/validation-webhook.ts";
import { wantedStatus } from "../../../../src/control-plane/webhook/wanted-status.ts";
import { WebhookMetrics } from "../../../../src/control-plane/webhook/webhook-metrics.ts";
import { reviewOf } from "../../../support/webhook/reviews.ts";
import type { ReadResponse, ReviewOptions } from "../../../support/webhook/reviews.ts";

const RESOURCE = { group: "networking.istio.io", version: "v1", resource: "virtualservices" };
const route = (spec: unknown, metadata = {}): Record<string, unknown> => ({
  apiVersion: "networking.istio.io/v1",
  kind: "VirtualService",
  metadata: { name: "web", namespace: "shop", generation: 3, ...metadata },
  spec,
});
const GOOD = { hosts: ["web"], http: [{ route: [{ destination: { host: "web" } }] }] };
const BAD = { hosts: ["web"], http: [{ timeout: "soon", route: [{ destination: { host: "web" } }] }], gatways: ["x"] };

let metrics: WebhookMetrics;
let log: string;
beforeEach(() => {
  metrics = new WebhookMetrics();
  log = "";
});

function review(object: unknown, options: ReviewOptions = {}): ReadResponse {
  const stream = { write: (text: string) => (log += text) };
  const webhook = new ValidationWebhook(metrics, createLog({ level: "info", format: "text", stream }));
  const parsed = parseReview(JSON.stringify(reviewOf(object, { resource: RESOURCE, ...options })));
  assert.ok(parsed.ok);
  return (toReview(parsed.request.uid, webhook.review(parsed.request)) as { response: ReadResponse }).response;
}

describe("the validation webhook", () => {
  test("lets a valid object in, also one whose name is still to be generated", () => {
    assert.deepEqual(review(route(GOOD)), { uid: reviewUid(), allowed: true });
    assert.equal(review(route(GOOD, { name: undefined, generateName: "web-" })).allowed, true);
    assert.match(metrics.render(), /galley_validation_passed\{group="networking.istio.io",version="v1",resource="virtualservices"\} 2\n/);
  });

  test("refuses an object with every problem and its field in one message", () => {
    const { allowed, status } = review(route(BAD));
    assert.deepEqual([allowed, status?.code], [false, 422]);
    assert.match(status?.message ?? "", /^spec\.http\[0\]\.timeout: .+; spec\.gatways: unknown field; did you mean "gateways"\?$/);
    assert.match(metrics.render(), /galley_validation_failed\{.*\} 1\n/);
  });

  test("lets an object that was let in before change its labels and go, with a warning", () => {
    const labelled = review(route(BAD, { labels: { a: "b" } }), { operation: "UPDATE", oldObject: route(BAD) });
    assert.deepEqual([labelled.allowed, labelled.warnings?.length], [true, 1]);
    const going = route({ ...BAD, hosts: ["other"] }, { deletionTimestamp: "2026-01-01T00:00:00Z", finalizers: [] });
    assert.equal(review(going, { operation: "UPDATE", oldObject: route(BAD) }).allowed, true);
    assert.equal(review(route(BAD), { operation: "UPDATE", oldObject: route(GOOD) }).allowed, false);
  });

  test("says to the person and in the log that a kind has no effect, and leaves it to whose it is", () => {
    const gateway = { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "edge", namespace: "shop" }, spec: {} };
    const answer = review(gateway, { resource: { ...RESOURCE, resource: "gateways" } });
    assert.equal(answer.allowed, true);
    assert.match(answer.warnings?.[0] ?? "", /^Gateway shop\/edge has no effect in this mesh: kind: Gateway is not supported yet/);
    assert.match(log, /warn +it has no effect in this mesh: kind: Gateway is not supported yet.* object="Gateway shop\/edge"/);
  });

  test("counts kinds apart only as long as they are few", () => {
    for (let index = 0; index < 500; index++)
      review(route(GOOD), { resource: { ...RESOURCE, resource: `${"x".repeat(1_000)}${index}`.slice(-300) } });
    for (let index = 0; index < 500; index++) review(route(GOOD), { resource: { ...RESOURCE, resource: `r${index}` } });
    const lines = metrics
      .render()
      .split("\n")
      .filter((each) => each.startsWith("galley_validation_passed{"));
    assert.equal(lines.length, 65);
    assert.ok(lines.every((each) => each.length < 400));
    assert.match(metrics.render(), /galley_validation_passed\{group="other",version="other",resource="other"\} \d+\n/);
  });

  test("writes nothing on a dry run", () => {
    const gateway = { apiVersion: "networking.istio.io/v1", kind: "Gateway", metadata: { name: "edge" }, spec: {} };
    assert.equal(review(gateway, { dryRun: true }).warnings?.length, 1);
    assert.equal(log, "");
  });

  test("answers in few words an object that is wrong in very many places, or nests too deeply to be read", () => {
    const many = review(route({ hosts: Array.from({ length: 150_000 }, () => 1) }));
    assert.equal(many.allowed, false);
    assert.match(many.status?.message ?? "", /^spec\.hosts\[0\]: .+; spec\.hosts\[99\]: [^;]+; has 149900 more problems$/);
    const long = review(route({ ...GOOD, ["x".repeat(100_000)]: 1 }));
    assert.ok((long.status?.message ?? "").length < 1_100);
    let deep: unknown[] = [];
    for (let level = 0; level < 9_000; level++) deep = [deep];
    const nested = review(route({ ...GOOD, deep }));
    assert.deepEqual([nested.allowed, nested.status?.message], [false, "can't be checked: Maximum call stack size exceeded"]);
  });

  test("has nothing to say to a deletion", () => {
    assert.equal(review(null, { operation: "DELETE", oldObject: route(BAD) }).allowed, true);
  });
});

function reviewUid(): string {
  return (reviewOf({})["request"] as { uid: string }).uid;
}

describe("the status of a mesh object", () => {
  const NOW = Date.UTC(2026, 10, 21, 12, 0, 0, 500);
  const raw = (value: Record<string, unknown>): Parameters<typeof wantedStatus>[0] => ({
    apiVersion: "networking.istio.io/v1",
    kind: "VirtualService",
    namespace: "shop",
    name: "web",
    value,
    origin: { file: "cluster", locate: () => ({ line: 0, column: 0 }) },
  });
  const wanted = (object: Record<string, unknown>): Json | undefined => wantedStatus(raw(object), NOW);
  const other = { type: "Ready", status: "True" };

  test("needs no word of a valid object", () => assert.equal(wanted(route(GOOD)), undefined));

  test("names every problem of a bad one, and keeps what others wrote", () => {
    const status = wanted({ ...route(BAD), status: { conditions: [other] } });
    const [first, condition] = status?.["conditions"] as readonly Json[];
    assert.deepEqual(first, other);
    const { message, ...rest } = condition!;
    const verdict = { status: "False", reason: "InvalidConfiguration", observedGeneration: 3, lastTransitionTime: "2026-11-21T12:00:00Z" };
    assert.deepEqual(rest, { type: "Reconciled", ...verdict });
    assert.match(String(message), /^spec\.http\[0\]\.timeout: .*; spec\.gatways: unknown field/);
    assert.equal((status?.["validationMessages"] as unknown[]).length, 2);
    assert.equal(status?.["observedGeneration"], 3);
  });

  test("is right once it is written, until the object changes", () => {
    const written = { ...route(BAD), status: wanted(route(BAD)) };
    assert.equal(wanted(written), undefined);
    const changed = wanted({ ...written, metadata: { name: "web", namespace: "shop", generation: 4 } });
    assert.equal(changed?.["observedGeneration"], 4);
    assert.equal((changed?.["conditions"] as readonly Json[])[0]?.["lastTransitionTime"], "2026-11-21T12:00:00Z");
  });

  test("takes the mark back when the mistake is gone", () => {
    const fixed = wanted({ ...route(GOOD), status: wanted(route(BAD)) });
    assert.deepEqual([(fixed?.["conditions"] as readonly Json[])[0]?.["status"], fixed?.["validationMessages"]], ["True", null]);
    assert.equal(wanted({ ...route(GOOD), status: { conditions: fixed?.["conditions"], observedGeneration: 3 } }), undefined);
  });

  test("of another control plane is not ours to correct", () => {
    const istiod = { type: "Reconciled", status: "False", reason: "Conflict" };
    assert.equal(wanted({ ...route(GOOD), status: { conditions: [istiod] } }), undefined);
  });
});
