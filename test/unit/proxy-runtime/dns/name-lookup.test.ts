import assert from "node:assert/strict";
import { test } from "node:test";
import { lookUpName } from "../../../../src/proxy-runtime/dns/name-lookup.ts";
import { parseNameservers } from "../../../../src/proxy-runtime/dns/resolv-conf.ts";

const NAMES = new Map([
  ["web.shop.svc.cluster.local", ["10.0.0.1"]],
  ["db.other.svc.cluster.local", ["10.0.0.2"]],
  ["api.example.com", ["10.0.0.3"]],
  ["*.wild.example.com", ["10.0.0.4"]],
  ["*.deep.wild.example.com", ["10.0.0.5"]],
]);
const look = (name: string) => lookUpName(name, NAMES, { namespace: "shop", clusterDomain: "cluster.local" });

for (const [name, address] of [
  ["web.shop.svc.cluster.local", "10.0.0.1"],
  ["web", "10.0.0.1"],
  ["web.shop", "10.0.0.1"],
  ["web.shop.svc", "10.0.0.1"],
  ["db.other", "10.0.0.2"],
  ["api.example.com", "10.0.0.3"],
  ["a.wild.example.com", "10.0.0.4"],
  ["b.a.wild.example.com", "10.0.0.4"],
  ["b.deep.wild.example.com", "10.0.0.5"],
] as const) {
  test(`${name} is known`, () => assert.deepEqual(look(name), [address]));
}

for (const name of [
  "db",
  "shop",
  "wild.example.com",
  "example.com",
  "",
  "web.other",
  "web.shop.svc.cluster",
  "pod-0.web.shop.svc.cluster.local",
]) {
  test(`${JSON.stringify(name)} is left to others`, () => assert.equal(look(name), "unknown"));
}

for (const name of [
  "web.shop.svc.cluster.local.shop.svc.cluster.local",
  "db.other.svc.cluster.local.svc.cluster.local",
  "db.other.svc.cluster.local.cluster.local",
  "web.shop.svc.svc.cluster.local",
  "api.example.com.shop.svc.cluster.local",
  "x.wild.example.com.cluster.local",
]) {
  test(`${name} is a resolver's expansion of a known name, and is not`, () => assert.equal(look(name), "absent"));
}

test("what might be a pod of a headless Service is not taken for an expansion", () => {
  assert.equal(look("web.shop.shop.svc.cluster.local"), "unknown");
  assert.equal(look("web.shop.svc.cluster.local.elsewhere.svc.cluster.local"), "unknown");
});

test("nameservers are read as the C library reads them", () => {
  const text =
    "# nameserver 9.9.9.9\nsearch a b\nnameserver 10.0.0.10\n  nameserver\tfd00::a  \nnameserver nope\nnameserver 1.1.1.1\nnameserver 8.8.8.8\n";
  assert.deepEqual(parseNameservers(text), [
    { host: "10.0.0.10", port: 53 },
    { host: "fd00::a", port: 53 },
    { host: "1.1.1.1", port: 53 },
  ]);
});
