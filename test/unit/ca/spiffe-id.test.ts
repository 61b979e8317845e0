import assert from "node:assert/strict";
import { test } from "node:test";
import { formatSpiffeId, parseSpiffeId } from "../../../src/ca/client/spiffe-id.ts";

const id = { trustDomain: "cluster.local", namespace: "shop", serviceAccount: "front-end.v2" };

test("reads back what it writes", () => {
  assert.equal(formatSpiffeId(id), "spiffe://cluster.local/ns/shop/sa/front-end.v2");
  assert.deepEqual(parseSpiffeId(formatSpiffeId(id)), id);
});

for (const uri of [
  "",
  "spiffe://cluster.local",
  "spiffe://cluster.local/ns/shop",
  "spiffe://cluster.local/ns/shop/sa/",
  "spiffe://cluster.local/ns/shop/sa/a/b",
  "spiffe://cluster.local/ns/shop/sa/a?x=1",
  "spiffe://cluster.local/ns/shop/sa/a\n",
  "spiffe://Cluster.Local/ns/shop/sa/a",
  "spiffe://user@td/ns/shop/sa/a",
  "https://cluster.local/ns/shop/sa/a",
  "spiffe:///ns/shop/sa/a",
]) {
  test(`takes ${JSON.stringify(uri)} for no identity`, () => assert.equal(parseSpiffeId(uri), undefined));
}

test("refuses to write what could be read as something else", () => {
  assert.throws(() => formatSpiffeId({ ...id, namespace: "a/sa/b" }), RangeError);
  assert.throws(() => formatSpiffeId({ ...id, serviceAccount: "" }), RangeError);
});
