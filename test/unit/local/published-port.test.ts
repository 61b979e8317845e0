import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { UserError } from "../../../src/common/user-error.ts";
import { parsePublish, resolvePublish } from "../../../src/local/publish/published-port.ts";
import type { Service } from "../../../src/manifests/kube-objects.ts";

function service(name: string, namespace: string, port: number): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { name, namespace }, spec: { ports: [{ port }] } };
}

describe("--publish", () => {
  for (const [text, expected] of [
    ["frontend:80", { service: "frontend", namespace: undefined, port: 80, hostPort: 80 }],
    ["frontend:80:8080", { service: "frontend", namespace: undefined, port: 80, hostPort: 8080 }],
    ["frontend.shop:80:0", { service: "frontend", namespace: "shop", port: 80, hostPort: 0 }],
    ["frontend.shop.svc.cluster.local:80", { service: "frontend", namespace: "shop", port: 80, hostPort: 80 }],
  ] as const) {
    test(`understands ${text}`, () => assert.deepEqual(parsePublish(text), expected));
  }

  for (const text of [
    "frontend",
    "frontend:",
    ":80",
    "frontend:http",
    "frontend:0",
    "frontend:80:70000",
    "Frontend:80",
    "a.b.c:80",
    "frontend:80:1:2",
  ]) {
    test(`refuses ${text} with the form that is wanted`, () => {
      assert.throws(
        () => parsePublish(text),
        (error) => error instanceof UserError && /SERVICE:PORT/.test(error.message) && error.exitCode === 64,
      );
    });
  }

  const services = [service("frontend", "shop", 80), service("web", "a", 80), service("web", "b", 80)];

  test("finds the only Service of the name", () => {
    assert.deepEqual(resolvePublish(parsePublish("frontend:80"), services), { service: "frontend", namespace: "shop", port: 80 });
  });

  for (const [text, message] of [
    ["front:80", /no Service front$/],
    ["frontend:81", /no port 81/],
    ["web:80", /exists in a, b/],
    ["web.c:80", /no Service web\.c/],
  ] as const) {
    test(`refuses ${text} and says what there is`, () => assert.throws(() => resolvePublish(parsePublish(text), services), { message }));
  }
});
