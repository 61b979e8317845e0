// Which upgrades a configuration lets pass, and what of upgrade_configs is refused.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { JsonObject } from "@bufbuild/protobuf";
import type { Result } from "../../../../src/common/result.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import type { HttpConnectionManagerConfig } from "../../../../src/proxy-runtime/config/listener-config.ts";
import { allowsUpgrade } from "../../../../src/proxy-runtime/config/upgrades.ts";
import { httpListener, listener } from "../../../support/xds-resources.ts";

type Configs = readonly JsonObject[];

const decode = (manager: Configs, route: Configs): ReturnType<typeof decodeListener> => {
  const routes = [{ match: { prefix: "/" }, route: { cluster: "c", upgrade_configs: [...route] } }];
  return decodeListener(
    listener(
      httpListener("l", { upgrade_configs: [...manager], route_config: { virtual_hosts: [{ name: "all", domains: ["*"], routes }] } }),
    ),
  );
};

function problems(result: Result<unknown>): string[] {
  assert.equal(result.ok, false, "it was accepted");
  return result.ok ? [] : result.problems.map(({ path, message }) => `${path.replace(/^.*typed_config\./, "")}: ${message}`);
}

function allows(manager: Configs, route: Configs, upgrade: string): boolean {
  const decoded = decode(manager, route);
  assert.ok(decoded.ok, JSON.stringify(decoded));
  const http = decoded.value.value.filterChains[0]!.filter as HttpConnectionManagerConfig;
  assert.ok(http.routes.kind === "inline");
  const { action } = http.routes.config.virtualHosts[0]!.routes[0]!;
  assert.ok(action.kind === "route");
  return allowsUpgrade(http.upgrades, action.upgrades, upgrade);
}

const type = (upgrade_type: string, more: JsonObject = {}): JsonObject => ({ upgrade_type, ...more });

describe("an upgrade", () => {
  const cases: readonly (readonly [what: string, manager: Configs, route: Configs, upgrade: string, allowed: boolean])[] = [
    ["that nobody names", [], [], "websocket", false],
    ["that the manager names, in any case", [type("WebSocket")], [], "websocket", true],
    ["that the manager names and disables", [type("websocket", { enabled: false })], [], "websocket", false],
    ["that the route disables", [type("websocket")], [type("websocket", { enabled: false })], "websocket", false],
    ["that the route enables", [type("websocket", { enabled: false })], [type("websocket")], "websocket", true],
    ["of another name", [type("websocket")], [], "chat", false],
    ["under *", [type("*")], [], "chat/2", true],
    ["under * and disabled by name", [type("*"), type("chat", { enabled: false })], [], "chat", false],
    ["under * of a route that disables all", [type("*")], [type("*", { enabled: false })], "chat", false],
    ["to one of two protocols, both named", [type("a"), type("b")], [], "a, b", true],
    ["to one of two protocols, one named", [type("a")], [], "a, b", false],
    ["by CONNECT, named", [type("CONNECT")], [], "connect", true],
    ["by CONNECT, under *", [type("*")], [type("*")], "connect", false],
    ["named like a property of objects", [], [], "constructor", false],
  ];
  for (const [what, manager, route, upgrade, allowed] of cases)
    test(`${what} is ${allowed ? "allowed" : "refused"}`, () => assert.equal(allows(manager, route, upgrade), allowed));
});

describe("upgrade_configs", () => {
  test("are refused without a type, and with one twice", () => {
    assert.deepEqual(problems(decode([type(""), type("a"), type("A")], [])), [
      "upgrade_configs[0].upgrade_type: missing",
      'upgrade_configs[2].upgrade_type: "A" stands twice',
    ]);
  });

  test("are refused with a type that no request can name, and with HTTP under another cover", () => {
    assert.deepEqual(problems(decode([type("web socket"), type("a/b/c")], [])), [
      'upgrade_configs[0].upgrade_type: not a protocol that a request can name: "web socket"',
      'upgrade_configs[1].upgrade_type: not a protocol that a request can name: "a/b/c"',
    ]);
    for (const each of ["h2c", "H2C-14", "http", "tls/1.2"])
      assert.match(problems(decode([type(each)], [])).join(), /not supported: requests inside/);
  });

  test("are refused with filters of their own", () => {
    assert.deepEqual(problems(decode([type("a", { filters: [{ name: "x" }] })], [])), ["upgrade_configs[0].filters: not supported"]);
  });

  test("of routes are refused with what connect_config can't do, and with one for another type", () => {
    const connect = (more: JsonObject): Configs => [type("CONNECT", { connect_config: more })];
    assert.match(
      problems(decode([], connect({ proxy_protocol_config: {} }))).join(),
      /connect_config\.proxy_protocol_config: not supported$/,
    );
    assert.match(problems(decode([], connect({ allow_post: true }))).join(), /connect_config\.allow_post: not supported$/);
    assert.match(
      problems(decode([], [type("websocket", { connect_config: {} })])).join(),
      /connect_config: is for upgrade_type CONNECT only$/,
    );
  });
});
