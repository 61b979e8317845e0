import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { test } from "node:test";
import { readManifestsStrictly } from "../../../src/local/cluster/manifest-set.ts";

const SHOP = resolve(import.meta.dirname, "../../../samples/shop");

test("the shop's ConfigMap holds exactly the program that stands beside it", () => {
  const [program] = readManifestsStrictly([SHOP]).configMaps;
  assert.equal(program?.object.data?.["shop.mjs"], readFileSync(join(SHOP, "shop.mjs"), "utf8"));
});

test("the shop has three services, four Deployments, and an identity for each service", () => {
  const { services, deployments } = readManifestsStrictly([SHOP]);
  assert.deepEqual(services.map(({ object }) => object.metadata.name).sort(), ["checkout", "frontend", "payments"]);
  assert.deepEqual(deployments.map(({ object }) => object.metadata.name).sort(), ["checkout", "frontend", "payments-v1", "payments-v2"]);
  assert.deepEqual(deployments.map(({ object }) => object.spec.template.spec.serviceAccountName).sort(), [
    "checkout",
    "frontend",
    "payments",
    "payments",
  ]);
});
