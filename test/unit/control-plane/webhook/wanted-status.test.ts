// What the status of a mesh object should say, from what it says now.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { RawObject } from "../../../../src/control-plane/ingest/raw-object.ts";
import { wantedStatus } from "../../../../src/control-plane/webhook/wanted-status.ts";

const NOON_MS = Date.UTC(2026, 0, 1, 12);
const GOOD = { host: "web" };
const BAD = { host: 7 };

function rule(spec: object, generation: number, status?: object): RawObject {
  const metadata = { name: "web", namespace: "shop", generation };
  const [apiVersion, kind] = ["networking.istio.io/v1", "DestinationRule"];
  return {
    ...{ apiVersion, kind, namespace: "shop", name: "web" },
    value: { apiVersion, kind, metadata, spec, ...(status === undefined ? {} : { status }) },
    origin: { file: "cluster", locate: () => ({ line: 0, column: 0 }) },
  };
}

interface Status {
  readonly conditions: readonly { readonly type: string; readonly status: string; readonly lastTransitionTime: string }[];
  readonly validationMessages: readonly { readonly message: string }[] | null;
  readonly observedGeneration: number;
}
const wanted = (raw: RawObject, nowMs: number): Status => wantedStatus(raw, nowMs) as unknown as Status;

describe("the status of a mesh object", () => {
  test("is nobody's business as long as the object was never wrong", () => {
    assert.equal(wantedStatus(rule(GOOD, 1), NOON_MS), undefined);
  });

  test("tells since when an object is wrong, also when it is wrong in another way by now", () => {
    const first = wanted(rule(BAD, 1), NOON_MS);
    assert.deepEqual([first.conditions[0]?.status, first.conditions[0]?.lastTransitionTime], ["False", "2026-01-01T12:00:00Z"]);
    const second = wanted(rule({ host: "web", trafficPolicy: 7 }, 2, first), NOON_MS + 60_000);
    assert.equal(second.conditions[0]?.lastTransitionTime, "2026-01-01T12:00:00Z");
    assert.notDeepEqual(second.validationMessages, first.validationMessages);
    assert.equal(second.observedGeneration, 2);
  });

  test("tells since when it is right again, and of no mistake any more", () => {
    const mended = wanted(rule(GOOD, 2, wanted(rule(BAD, 1), NOON_MS)), NOON_MS + 60_000);
    assert.deepEqual([mended.conditions[0]?.status, mended.conditions[0]?.lastTransitionTime], ["True", "2026-01-01T12:01:00Z"]);
    assert.equal(mended.validationMessages, null);
  });

  test("is left alone once it is as it should be", () => {
    const marked = rule(BAD, 1, wanted(rule(BAD, 1), NOON_MS));
    assert.equal(wantedStatus(marked, NOON_MS + 60_000), undefined);
  });

  test("keeps others' conditions", () => {
    const theirs = { type: "Accepted", status: "True", reason: "Fine" };
    const { conditions } = wanted(rule(BAD, 1, { conditions: [theirs] }), NOON_MS);
    assert.deepEqual(
      conditions.map((each) => each.type),
      ["Accepted", "Reconciled"],
    );
    assert.deepEqual(conditions[0], theirs);
  });
});
