import assert from "node:assert/strict";
import { test } from "node:test";
import { applyJsonPatch, escapePointer } from "../../../src/manifests/json-patch.ts";

test("adds, replaces and removes members and list items without touching the original", () => {
  const before = { a: { "x/y~z": 1 }, list: [1, 2, 3] };
  const after = applyJsonPatch(before, [
    { op: "replace", path: `/a/${escapePointer("x/y~z")}`, value: 2 },
    { op: "add", path: "/list/0", value: 0 },
    { op: "add", path: "/list/-", value: 4 },
    { op: "remove", path: "/list/1" },
    { op: "add", path: "/b", value: {} },
    { op: "add", path: "/b/c", value: true },
  ]);
  assert.deepEqual(after, { a: { "x/y~z": 2 }, list: [0, 2, 3, 4], b: { c: true } });
  assert.deepEqual(before, { a: { "x/y~z": 1 }, list: [1, 2, 3] });
});

test("refuses a path whose parent does not exist, as an API server does", () => {
  assert.throws(() => applyJsonPatch({}, [{ op: "add", path: "/a/b", value: 1 }]), /no such parent/);
  assert.throws(() => applyJsonPatch({ list: [] }, [{ op: "add", path: "/list/2", value: 1 }]), /no such index/);
});
