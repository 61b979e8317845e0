import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toCamelCase } from "../../../../src/commands/inspect/proxy-config/envoy-json.ts";
import { heldCertificates } from "../../../../src/commands/inspect/tls/held-certificates.ts";
import {
  agreementOf,
  effectiveClientMode,
  isService,
  type AuthenticationReport,
} from "../../../../src/commands/inspect/tls/tls-agreement.ts";

function report(part: Partial<AuthenticationReport>): AuthenticationReport {
  const host = "payments.shop.svc.cluster.local";
  const none = { policy: "-", destinationRule: "-", serverIdentities: [] };
  return { host, port: 80, serverMode: "STRICT", clientMode: "AUTO", endpoints: 2, meshedEndpoints: 2, ...none, ...part };
}

describe("server and client", () => {
  const TABLE: readonly (readonly [server: string, client: string, meshed: number, result: string, does: string])[] = [
    ["STRICT", "ISTIO_MUTUAL", 2, "OK", "ISTIO_MUTUAL"],
    ["PERMISSIVE", "ISTIO_MUTUAL", 2, "OK", "ISTIO_MUTUAL"],
    ["PERMISSIVE", "ISTIO_MUTUAL", 1, "CONFLICT", "ISTIO_MUTUAL"],
    ["DISABLE", "ISTIO_MUTUAL", 0, "CONFLICT", "ISTIO_MUTUAL"],
    ["STRICT", "MUTUAL", 2, "OK", "MUTUAL"],
    ["STRICT", "DISABLE", 2, "CONFLICT", "DISABLE"],
    ["PERMISSIVE", "DISABLE", 2, "PLAINTEXT", "DISABLE"],
    ["DISABLE", "DISABLE", 0, "PLAINTEXT", "DISABLE"],
    ["STRICT", "SIMPLE", 2, "CONFLICT", "SIMPLE"],
    ["DISABLE", "SIMPLE", 0, "CONFLICT", "SIMPLE"],
    ["STRICT", "AUTO", 2, "OK", "ISTIO_MUTUAL"],
    ["PERMISSIVE", "AUTO", 1, "PLAINTEXT", "MIXED"],
    ["DISABLE", "AUTO", 0, "PLAINTEXT", "DISABLE"],
    ["", "ISTIO_MUTUAL", 2, "CONFLICT", "ISTIO_MUTUAL"],
  ];
  for (const [serverMode, clientMode, meshedEndpoints, result, does] of TABLE) {
    test(`${serverMode || "(nothing)"} and ${clientMode} with ${meshedEndpoints} of 2 endpoints meshed → ${does}, ${result}`, () => {
      const each = report({ serverMode, clientMode, meshedEndpoints });
      assert.equal(agreementOf(each), result);
      assert.equal(effectiveClientMode(each), does);
    });
  }

  test("follow the policy where a service has no endpoints", () => {
    assert.equal(agreementOf(report({ endpoints: 0, meshedEndpoints: 0 })), "OK");
    assert.equal(agreementOf(report({ endpoints: 0, meshedEndpoints: 0, serverMode: "DISABLE" })), "PLAINTEXT");
  });
});

test("a service is meant by its short, namespaced or full name, with or without port", () => {
  const meant = ["payments", "payments.shop", "payments.shop.svc.cluster.local", "payments:80"].map((name) => isService(report({}), name));
  assert.deepEqual(meant, [true, true, true, true]);
  const other = ["pay", "payments:8080", "shop", "checkout", "payments.blog"].map((name) => isService(report({}), name));
  assert.deepEqual(other, [false, false, false, false, false]);
});

test("certificates are the leaf and each root once, with the days that they have left", () => {
  const root = { serial_number: "aa", subject_alt_names: [], expiration_time: "2036-01-01T00:00:00Z" };
  const certs = {
    certificates: [
      {
        ca_cert: [root],
        cert_chain: [
          {
            serial_number: "01",
            subject_alt_names: [{ uri: "spiffe://cluster.local/ns/shop/sa/web" }],
            expiration_time: "2026-01-02T12:00:00.000Z",
          },
          { serial_number: "bb", expiration_time: "2030-01-01T00:00:00Z" },
        ],
      },
      { ca_cert: [root], cert_chain: [] },
    ],
  };
  assert.deepEqual(heldCertificates(toCamelCase(certs), Date.parse("2026-01-01T00:00:00Z")), [
    {
      kind: "workload",
      identity: "spiffe://cluster.local/ns/shop/sa/web",
      serialNumber: "01",
      notAfter: "2026-01-02T12:00:00Z",
      daysLeft: 1.5,
    },
    { kind: "root", identity: "", serialNumber: "aa", notAfter: "2036-01-01T00:00:00Z", daysLeft: 3652 },
  ]);
});
