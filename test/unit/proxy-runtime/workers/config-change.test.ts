import assert from "node:assert/strict";
import { test } from "node:test";
import { EMPTY_PROXY_CONFIG, type ProxyConfig } from "../../../../src/proxy-runtime/config/proxy-config.ts";
import type { SecretConfig } from "../../../../src/proxy-runtime/config/tls-config.ts";
import { changedConfig, configChange } from "../../../../src/proxy-runtime/workers/config-change.ts";

const roots = (name: string, rootsPem: string): SecretConfig => ({ kind: "validation", name, rootsPem, sanMatches: [] });
const config = (...secrets: readonly SecretConfig[]): ProxyConfig => ({
  ...EMPTY_PROXY_CONFIG,
  routes: new Map([["r", { name: "r" } as never]]),
  secrets: new Map(secrets.map((each) => [each.name, each])),
});
/** As a worker gets it. */
const send = (from: ProxyConfig, to: ProxyConfig) => structuredClone(configChange(from, to));

test("changes that are sent one after the other make the same configuration", () => {
  const [a, b, c] = [roots("a", "1"), roots("b", "2"), roots("c", "3")];
  const [first, second] = [config(a, b), config(a, roots("b", "2 again"), c)];
  const atFirst = changedConfig(EMPTY_PROXY_CONFIG, send(EMPTY_PROXY_CONFIG, first));
  assert.deepEqual(atFirst, first);
  const then = changedConfig(atFirst, send(first, second));
  assert.deepEqual(then, second);
  const last = changedConfig(then, send(second, config(c)));
  assert.deepEqual(last, config(c));
});

test("what did not change is not sent and stays the same object", () => {
  const [a, b] = [roots("a", "1"), roots("b", "2")];
  const first = config(a, b);
  const second: ProxyConfig = { ...first, secrets: new Map([["a", a], ["b", roots("b", "new")]]) }; // prettier-ignore
  const change = configChange(first, second);
  assert.deepEqual(change, {
    clusters: undefined,
    endpoints: undefined,
    listeners: undefined,
    routes: undefined,
    secrets: { set: [["b", roots("b", "new")]], removed: [] },
  });
  const worker = changedConfig(EMPTY_PROXY_CONFIG, send(EMPTY_PROXY_CONFIG, first));
  const next = changedConfig(worker, structuredClone(change));
  assert.equal(next.routes, worker.routes);
  assert.equal(next.secrets.get("a"), worker.secrets.get("a"));
  assert.notEqual(next.secrets.get("b"), worker.secrets.get("b"));
});

test("a map that was made anew with the same values is no change", () => {
  const a = roots("a", "1");
  assert.equal(configChange(config(a), config(a)).secrets, undefined);
});
