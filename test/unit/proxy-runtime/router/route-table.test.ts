import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { create, fromJson, type JsonValue } from "@bufbuild/protobuf";
import { decodeRoute } from "../../../../src/proxy-runtime/config/decode-route.ts";
import { RouteTable, chooseCluster } from "../../../../src/proxy-runtime/router/route-table.ts";
import { RouteConfigurationSchema } from "../../../../src/xds/gen/envoy/config/route/v3/route_pb.ts";
import { requestHead } from "../../../support/request-head.ts";

type Json = Record<string, JsonValue>;

function table(virtualHosts: readonly Json[], more: Json = {}): RouteTable {
  const message = fromJson(RouteConfigurationSchema, {
    name: "r",
    virtual_hosts: virtualHosts.map((each, index) => ({ name: `v${index}`, ...each })),
    ...more,
  });
  const decoded = decodeRoute(create(RouteConfigurationSchema, message));
  assert.ok(decoded.ok, JSON.stringify(decoded));
  return new RouteTable(decoded.value.value);
}

/** A virtual host whose one route names itself after its first domain. */
const named = (...domains: string[]): Json => ({
  domains,
  routes: [{ name: domains[0]!, match: { prefix: "/" }, route: { cluster: "c" } }],
});

type Fields = Parameters<typeof requestHead>[0];
const routeOf = (routes: RouteTable, fields: Fields): string => routes.match(requestHead(fields))?.entry.name ?? "-";

describe("a virtual host is found", () => {
  const routes = table([
    named("a.test"),
    named("*.b.test"),
    named("*.deep.b.test", "*-suffix.test"),
    named("p.*"),
    named("p.q.*"),
    named("b.test:8080"),
    named("[::1]"),
    named("*"),
  ]);
  const cases: Record<string, string> = {
    "a.test": "a.test",
    "A.TEST": "a.test",
    "x.b.test": "*.b.test",
    "x.y.b.test": "*.b.test",
    "x.deep.b.test": "*.deep.b.test",
    "one-suffix.test": "*.deep.b.test",
    ".b.test": "*",
    "b.test": "*",
    "b.test:8080": "b.test:8080",
    "p.x": "p.*",
    "p.q.x": "p.q.*",
    "p.": "*",
    "a.test:80": "*",
    "[::1]": "[::1]",
    "": "*",
  };
  for (const [authority, wanted] of Object.entries(cases))
    test(`for ${authority || "no authority"}: ${wanted}`, () => assert.equal(routeOf(routes, { authority }), wanted));

  test("exact before suffix, suffix before prefix", () => {
    const both = table([named("a.*"), named("*.test"), named("a.test")]);
    assert.equal(routeOf(both, { authority: "a.test" }), "a.test");
    assert.equal(routeOf(table([named("a.*"), named("*.test")]), { authority: "a.test" }), "*.test");
  });

  test("or not at all without *", () => assert.equal(routeOf(table([named("a.test")]), { authority: "b.test" }), "-"));

  test("without its port where the port is to be ignored", () => {
    const ignoring = table([named("a.test"), named("[::1]")], { ignore_port_in_host_matching: true });
    assert.equal(routeOf(ignoring, { authority: "a.test:1234" }), "a.test");
    assert.equal(routeOf(ignoring, { authority: "[::1]:1234" }), "[::1]");
    assert.equal(routeOf(ignoring, { authority: "[::1]" }), "[::1]");
  });
});

function matches(match: Json, fields: Fields): boolean {
  return routeOf(table([{ domains: ["*"], routes: [{ name: "yes", match, route: { cluster: "c" } }] }]), fields) === "yes";
}

describe("a route matches", () => {
  const cases: readonly (readonly [title: string, match: Json, yes: readonly Fields[], no: readonly Fields[]])[] = [
    [
      "a prefix, whatever the query",
      { prefix: "/a" },
      [{ path: "/a" }, { path: "/abc" }, { path: "/a?x" }],
      [{ path: "/b" }, { path: "/" }, { path: "/b?/a" }],
    ],
    ["a path", { path: "/a" }, [{ path: "/a" }, { path: "/a?x=1" }], [{ path: "/a/" }, { path: "/A" }]],
    ["in any case", { path: "/A", case_sensitive: false }, [{ path: "/a" }, { path: "/A" }], [{ path: "/ab" }]],
    [
      "whole segments",
      { path_separated_prefix: "/a/b" },
      [{ path: "/a/b" }, { path: "/a/b/c" }, { path: "/a/b?x" }],
      [{ path: "/a/bc" }, { path: "/a" }],
    ],
    [
      "a pattern, the whole path",
      { safe_regex: { regex: "/v[0-9]+" } },
      [{ path: "/v12" }, { path: "/v1?x" }],
      [{ path: "/v12/x" }, { path: "/x/v1" }],
    ],
    [
      "an exact header, names in any case",
      { prefix: "/", headers: [{ name: "x-Who", string_match: { exact: "me" } }] },
      [{ headers: ["X-WHO", "me"] }],
      [{ headers: ["x-who", "Me"] }, { headers: [] }, { headers: ["x-who", "me", "x-who", "you"] }],
    ],
    [
      "header values joined",
      { prefix: "/", headers: [{ name: "x-who", string_match: { exact: "me,you" } }] },
      [{ headers: ["x-who", "me", "X-Who", "you"] }],
      [{ headers: ["x-who", "me"] }],
    ],
    ["presence", { prefix: "/", headers: [{ name: "cookie", present_match: true }] }, [{ headers: ["Cookie", ""] }], [{}]],
    ["absence", { prefix: "/", headers: [{ name: "x-a", present_match: true, invert_match: true }] }, [{}], [{ headers: ["x-a", "1"] }]],
    [
      "another value, but not a missing header",
      { prefix: "/", headers: [{ name: "x-a", string_match: { prefix: "v" }, invert_match: true }] },
      [{ headers: ["x-a", "w"] }],
      [{ headers: ["x-a", "v1"] }, {}],
    ],
    [
      "a missing header as empty where asked",
      { prefix: "/", headers: [{ name: "x-a", string_match: { exact: "v" }, invert_match: true, treat_missing_header_as_empty: true }] },
      [{}, { headers: ["x-a", "w"] }],
      [{ headers: ["x-a", "v"] }],
    ],
    [
      "a range",
      { prefix: "/", headers: [{ name: "x-n", range_match: { start: 1, end: 10 } }] },
      [{ headers: ["x-n", "1"] }, { headers: ["x-n", "9"] }],
      [{ headers: ["x-n", "10"] }, { headers: ["x-n", "a"] }, { headers: ["x-n", "1.5"] }, {}],
    ],
    ["the method", { prefix: "/", headers: [{ name: ":method", string_match: { exact: "POST" } }] }, [{ method: "POST" }], [{}]],
    [
      "a query parameter",
      { prefix: "/", query_parameters: [{ name: "q", string_match: { exact: "a b" } }] },
      [{ path: "/?q=a%20b" }, { path: "/?x&q=a+b" }],
      [{ path: "/" }, { path: "/?q=a" }, { path: "/?Q=a%20b" }],
    ],
    [
      "gRPC only",
      { prefix: "/", grpc: {} },
      [{ headers: ["content-type", "application/grpc+proto"] }],
      [{ headers: ["content-type", "application/grpc-web"] }, {}],
    ],
  ];
  for (const [title, match, yes, no] of cases) {
    test(title, () => {
      for (const fields of yes) assert.ok(matches(match, fields), JSON.stringify(fields));
      for (const fields of no) assert.ok(!matches(match, fields), `not ${JSON.stringify(fields)}`);
    });
  }

  test("in order, the first that fits", () => {
    const routes = table([
      {
        domains: ["*"],
        routes: [
          { name: "special", match: { prefix: "/", headers: [{ name: "x-v", string_match: { exact: "2" } }] }, route: { cluster: "c" } },
          { name: "api", match: { prefix: "/api" }, route: { cluster: "c" } },
          { name: "rest", match: { prefix: "/" }, route: { cluster: "c" } },
        ],
      },
    ]);
    assert.equal(routeOf(routes, { path: "/api" }), "api");
    assert.equal(routeOf(routes, { path: "/api", headers: ["X-V", "2"] }), "special");
    assert.equal(routeOf(routes, { path: "/" }), "rest");
  });

  test("and a pattern that is a trap for backtracking costs nothing", () => {
    const started = performance.now();
    assert.ok(!matches({ safe_regex: { regex: "/(a+)+" } }, { path: `/${"a".repeat(5000)}!` }));
    assert.ok(performance.now() - started < 1000);
  });
});

test("weighted clusters are chosen by their share of the total", () => {
  const weights = {
    clusters: [
      { name: "a", weight: 90 },
      { name: "b", weight: 10 },
      { name: "none", weight: 0 },
    ],
  };
  const route = table([{ domains: ["*"], routes: [{ match: { prefix: "/" }, route: { weighted_clusters: weights } }] }]).match(
    requestHead(),
  )!;
  const at = (random: number): string => chooseCluster(route, random).cluster;
  assert.deepEqual([0, 0.5, 0.8999, 0.9001, 0.9999].map(at), ["a", "a", "a", "b", "b"]);
});
