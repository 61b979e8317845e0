import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { effectiveRule, portPolicy } from "../../../../src/control-plane/registry/destination-rule.ts";
import { hostPatterns, isVisible, qualifyHost } from "../../../../src/control-plane/registry/host-name.ts";
import { effectiveMtls } from "../../../../src/control-plane/registry/peer-authentication.ts";
import { protocolOf } from "../../../../src/control-plane/registry/port-protocol.ts";
import { selectVirtualService } from "../../../../src/control-plane/translate/outbound-routes.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

interface Named {
  readonly name: string;
  readonly namespace: string;
  readonly created?: string;
}

function object(kind: string, { name, namespace, created }: Named, spec: object): string {
  const group = kind === "PeerAuthentication" ? "security" : "networking";
  const metadata = { name, namespace, ...(created === undefined ? {} : { creationTimestamp: created }) };
  return JSON.stringify({ apiVersion: `${group}.istio.io/v1`, kind, metadata, spec });
}
const mesh = (...objects: string[]) => meshFromYaml(objects.join("\n---\n"));
const mtls = (mode: string, labels?: Record<string, string>, ports?: Record<string, string>) => ({
  ...(labels === undefined ? {} : { selector: { matchLabels: labels } }),
  mtls: { mode },
  ...(ports === undefined
    ? {}
    : { portLevelMtls: Object.fromEntries(Object.entries(ports).map(([port, each]) => [port, { mode: each }])) }),
});

describe("the effective mutual TLS mode", () => {
  const workload = { namespace: "shop", labels: { app: "api" } };

  test("is PERMISSIVE when nothing says otherwise", () => {
    assert.deepEqual(effectiveMtls(mesh(), workload, 80), { mode: "PERMISSIVE", policy: undefined });
  });

  test("comes from the root namespace, before it the own namespace, before it the workload, before it the port", () => {
    const root = object("PeerAuthentication", { name: "default", namespace: "mesh-system" }, mtls("STRICT"));
    const namespace = object("PeerAuthentication", { name: "default", namespace: "shop" }, mtls("DISABLE"));
    const own = object("PeerAuthentication", { name: "api", namespace: "shop" }, mtls("PERMISSIVE", { app: "api" }, { 81: "STRICT" }));
    assert.deepEqual(effectiveMtls(mesh(root), workload, 80), { mode: "STRICT", policy: "default/mesh-system" });
    assert.deepEqual(effectiveMtls(mesh(root, namespace), workload, 80), { mode: "DISABLE", policy: "default/shop" });
    assert.deepEqual(effectiveMtls(mesh(root, namespace, own), workload, 80), { mode: "PERMISSIVE", policy: "api/shop" });
    assert.deepEqual(effectiveMtls(mesh(root, namespace, own), workload, 81), { mode: "STRICT", policy: "api/shop" });
    assert.deepEqual(effectiveMtls(mesh(root, namespace, own), { namespace: "shop", labels: {} }, 81), {
      mode: "DISABLE",
      policy: "default/shop",
    });
  });

  test("is inherited where a policy leaves it UNSET", () => {
    const root = object("PeerAuthentication", { name: "default", namespace: "mesh-system" }, mtls("STRICT"));
    const namespace = object("PeerAuthentication", { name: "default", namespace: "shop" }, mtls("UNSET"));
    const own = object("PeerAuthentication", { name: "api", namespace: "shop" }, mtls("UNSET", { app: "api" }, { 80: "UNSET" }));
    assert.deepEqual(effectiveMtls(mesh(root, namespace, own), workload, 80), { mode: "STRICT", policy: "default/mesh-system" });
  });

  test("is the oldest policy's of a level", () => {
    const young = object("PeerAuthentication", { name: "a", namespace: "shop", created: "2026-02-01T00:00:00Z" }, mtls("STRICT"));
    const old = object("PeerAuthentication", { name: "b", namespace: "shop", created: "2026-01-01T00:00:00Z" }, mtls("DISABLE"));
    assert.equal(effectiveMtls(mesh(young, old), workload, 80).policy, "b/shop");
  });

  test("is not decided by a selector of another namespace", () => {
    const foreign = object("PeerAuthentication", { name: "api", namespace: "mesh-system" }, mtls("STRICT", { app: "api" }));
    assert.equal(effectiveMtls(mesh(foreign), workload, 80).mode, "PERMISSIVE");
  });
});

describe("the DestinationRule that a client obeys", () => {
  const service = JSON.stringify({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name: "api", namespace: "shop" },
    spec: { ports: [{ port: 80 }] },
  });
  const rule = (name: string, namespace: string, host: string, extra: object = {}) =>
    object("DestinationRule", { name, namespace }, { host, ...extra });
  const found = (namespace: string, ...objects: string[]) => {
    const snapshot = mesh(service, ...objects);
    return effectiveRule(snapshot, namespace, snapshot.services.get("api.shop.svc.cluster.local")!);
  };

  test("is its own namespace's, then the service's, then the root's", () => {
    const rules = [
      rule("root", "mesh-system", "api.shop.svc.cluster.local"),
      rule("service", "shop", "api"),
      rule("client", "client", "*.shop.svc.cluster.local"),
    ];
    assert.equal(found("client", ...rules)?.name, "client");
    assert.equal(found("other", ...rules)?.name, "service");
    assert.equal(found("other", rules[0]!)?.name, "root");
    assert.equal(found("other"), undefined);
  });

  test("is the most specific of a namespace, and not one that isn't exported", () => {
    assert.equal(found("shop", rule("wild", "shop", "*.svc.cluster.local"), rule("exact", "shop", "api"))?.name, "exact");
    assert.equal(found("client", rule("private", "shop", "api", { exportTo: ["."] })), undefined);
  });

  test("is merged from several for one host: subsets of all, the traffic policy of the first that has one", () => {
    const merged = found(
      "shop",
      rule("a", "shop", "api", { subsets: [{ name: "v1", labels: { v: "1" } }] }),
      rule("b", "shop", "api", {
        subsets: [{ name: "v1", labels: { v: "x" } }, { name: "v2" }],
        trafficPolicy: { loadBalancer: { simple: "RANDOM" } },
      }),
    );
    assert.deepEqual(
      merged?.subsets.map((each) => [each.name, each.labels]),
      [
        ["v1", { v: "1" }],
        ["v2", undefined],
      ],
    );
    assert.equal(portPolicy(merged, undefined, 80).loadBalancer?.simple, "RANDOM");
  });
});

describe("the VirtualService of a host", () => {
  const scope = { namespace: "shop", labels: {}, hasIpv4: true, hasIpv6: false };
  const route = { http: [{ route: [{ destination: { host: "api" } }] }] };
  const named = (name: string, hosts: readonly string[], extra: object = {}) =>
    object("VirtualService", { name, namespace: "shop" }, { hosts, ...route, ...extra });

  test("is an exact one before a wildcard, and the longest wildcard", () => {
    const snapshot = mesh(named("a-short", ["*.local"]), named("b-long", ["*.shop.svc.cluster.local"]), named("c-exact", ["api"]));
    assert.equal(selectVirtualService(snapshot, scope, "api.shop.svc.cluster.local")?.meta.name, "c-exact");
    assert.equal(selectVirtualService(snapshot, scope, "other.shop.svc.cluster.local")?.meta.name, "b-long");
    assert.equal(selectVirtualService(snapshot, scope, "other.bank.svc.cluster.local")?.meta.name, "a-short");
  });

  test("is the first by name among equals, and one that the client may see", () => {
    const snapshot = mesh(named("api-late", ["api"]), named("api", ["api"], { exportTo: ["bank"] }));
    assert.equal(selectVirtualService(snapshot, scope, "api.shop.svc.cluster.local")?.meta.name, "api-late");
    assert.equal(selectVirtualService(snapshot, { ...scope, namespace: "bank" }, "api.shop.svc.cluster.local")?.meta.name, "api");
  });
});

test("short host names are completed by namespace, names with dots are taken as they are", () => {
  assert.equal(qualifyHost("API", "shop", "cluster.local"), "api.shop.svc.cluster.local");
  assert.equal(qualifyHost("api.bank", "shop", "cluster.local"), "api.bank");
  assert.equal(qualifyHost("*.com", "shop", "cluster.local"), "*.com");
  assert.deepEqual(hostPatterns("a.b.c"), ["a.b.c", "*.b.c", "*.c", "*"]);
});

test("exportTo shows an object to everybody, its own namespace, some or nobody", () => {
  assert.equal(isVisible(undefined, "a", "b"), true);
  assert.equal(isVisible(["."], "a", "b"), false);
  assert.equal(isVisible(["."], "a", "a"), true);
  assert.equal(isVisible(["b"], "a", "b"), true);
  assert.equal(isVisible(["~"], "a", "a"), false);
});

test("a port's protocol is appProtocol's, else its name's, else told by its bytes unless servers speak first there", () => {
  const port = (name: string, number = 8000, appProtocol?: string) =>
    protocolOf({ name, port: number, targetPort: number, transport: "TCP", appProtocol });
  assert.equal(port("tcp", 8000, "http"), "http");
  assert.equal(port("http-web"), "http");
  assert.equal(port("httpish"), "auto");
  assert.equal(port("grpc-web-x"), "http");
  assert.equal(port("grpc"), "http2");
  assert.equal(port("grpc-ledger"), "http2");
  assert.equal(port("http2-web"), "http2");
  assert.equal(port("http", 8000, "grpc"), "http2");
  assert.equal(port("web", 8000, "http2"), "http2");
  assert.equal(port("web", 8000, "kubernetes.io/h2c"), "http2");
  assert.equal(port("web", 8000, "kubernetes.io/ws"), "http");
  assert.equal(port("web", 8000, "kubernetes.io/wss"), "tls");
  assert.equal(port("mysql"), "tcp");
  assert.equal(port("https"), "tls");
  assert.equal(port("tls-legacy"), "tls");
  assert.equal(port(""), "auto");
  // Servers of these speak first, or are never HTTP: Istio's list, Linkerd's, and mail.
  for (const number of [25, 53, 3306, 27017, 587, 4444, 5432, 6379, 9300, 11211, 21, 110, 143]) assert.equal(port("", number), "tcp");
  assert.equal(port("http", 3306), "http");
  assert.equal(port("x", 8000, "unknown"), "auto");
});
