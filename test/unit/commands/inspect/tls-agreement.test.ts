import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toCamelCase } from "../../../../src/commands/inspect/proxy-config/envoy-json.ts";
import { heldCertificates } from "../../../../src/commands/inspect/tls/held-certificates.ts";
import { agreementOf, isService } from "../../../../src/commands/inspect/tls/tls-agreement.ts";

describe("server and client", () => {
  const TABLE: readonly (readonly [server: string, client: string, result: string])[] = [
    ["STRICT", "ISTIO_MUTUAL", "OK"],
    ["PERMISSIVE", "ISTIO_MUTUAL", "OK"],
    ["DISABLE", "ISTIO_MUTUAL", "CONFLICT"],
    ["STRICT", "MUTUAL", "OK"],
    ["STRICT", "DISABLE", "CONFLICT"],
    ["PERMISSIVE", "DISABLE", "PLAINTEXT"],
    ["DISABLE", "DISABLE", "PLAINTEXT"],
    ["STRICT", "SIMPLE", "CONFLICT"],
    ["DISABLE", "SIMPLE", "CONFLICT"],
    ["", "ISTIO_MUTUAL", "CONFLICT"],
  ];
  for (const [server, client, result] of TABLE) {
    test(`${server || "(nothing)"} and ${client} → ${result}`, () => assert.equal(agreementOf(server, client), result));
  }
});

test("a service is meant by its short, namespaced or full name, with or without port", () => {
  const report = {
    host: "payments.shop.svc.cluster.local|v1",
    port: 80,
    serverMode: "",
    policy: "",
    clientMode: "",
    destinationRule: "",
    serverIdentities: [],
  };
  const meant = ["payments", "payments.shop", "payments.shop.svc.cluster.local", "payments:80"].map((name) => isService(report, name));
  assert.deepEqual(meant, [true, true, true, true]);
  const other = ["pay", "payments:8080", "shop", "checkout", "payments.blog"].map((name) => isService(report, name));
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
