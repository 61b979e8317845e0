import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { parseSamples } from "../../../../src/commands/inspect/traffic/prometheus-text.ts";
import { callGraph, type Edge } from "../../../../src/commands/local/demo/call-graph.ts";
import { findSurprises } from "../../../../src/commands/local/demo/expectations.ts";
import type { LoadResult } from "../../../../src/commands/local/demo/shop-load.ts";

const SA = "spiffe://cluster.local/ns/shop/sa/";

interface Call {
  readonly from: string;
  readonly to: string;
  readonly service: string;
  readonly version?: string;
  readonly requests: number;
  readonly failed?: number;
  readonly overTls?: number;
}

/** What both sidecars of a call write. */
function metrics({ from, to, service, version = "v1", requests, failed = 0, overTls = requests }: Call): string {
  const peers = `source_workload="${from}",source_principal="${SA}${from}",destination_workload="${to}",destination_principal="${SA}${service}",destination_version="${version}",destination_service_name="${service}"`;
  const line = (reporter: string, code: string, security: string, count: number): string =>
    `istio_requests_total{reporter="${reporter}",${peers},response_code="${code}",response_flags="-",connection_security_policy="${security}"} ${count}`;
  const bucket = (le: string): string =>
    `istio_request_duration_milliseconds_bucket{reporter="source",${peers},response_code="200",connection_security_policy="unknown",le="${le}"} ${requests}`;
  return [
    line("source", "200", "unknown", requests - failed),
    line("source", "503", "unknown", failed),
    bucket("10"),
    bucket("+Inf"),
    line("destination", "200", "mutual_tls", overTls),
    line("destination", "200", "none", requests - overTls),
  ].join("\n");
}

const SHOP: readonly Call[] = [
  { from: "meshctl-ingress", to: "frontend", service: "frontend", requests: 500 },
  { from: "frontend", to: "checkout", service: "checkout", requests: 500 },
  { from: "checkout", to: "payments-v1", service: "payments", requests: 452 },
  { from: "checkout", to: "payments-v2", service: "payments", version: "v2", requests: 48 },
];

function graph(calls: readonly Call[]): Edge[] {
  return callGraph(parseSamples(calls.map(metrics).join("\n"), () => true));
}

const ALL_WELL: LoadResult = { sent: 500, failed: [] };

test("the call graph joins what both sides of a call counted", () => {
  const [edge, ...others] = graph([{ ...SHOP[3]!, failed: 8, overTls: 40 }]);
  assert.equal(others.length, 0);
  const { p50Ms, p99Ms, ...rest } = edge!;
  assert.deepEqual(rest, {
    from: "checkout",
    to: "payments-v2",
    service: "payments",
    version: "v2",
    requests: 48,
    failures: 8,
    mutualTls: 40,
    fromIdentity: `${SA}checkout`,
    toIdentity: `${SA}payments`,
  });
  assert.equal(p50Ms?.toFixed(3), "5.000");
  assert.equal(p99Ms?.toFixed(3), "9.900");
});

test("a caller that the server knows only by its certificate is still told apart", () => {
  const text = SHOP.map(metrics)
    .join("\n")
    .replaceAll(/(reporter="destination",source_workload=")meshctl-ingress"/g, '$1unknown"');
  const edges = callGraph(parseSamples(text, () => true));
  assert.equal(edges.find((edge) => edge.from === "meshctl-ingress")?.mutualTls, 500);
});

describe("the demo", () => {
  test("finds nothing strange in the shop's traffic as it should be", () => {
    assert.deepEqual(findSurprises(ALL_WELL, graph(SHOP)), []);
  });

  const replace = (index: number, part: Partial<Call>): Call[] => SHOP.map((call, at) => (at === index ? { ...call, ...part } : call));
  const STRANGE: readonly (readonly [title: string, load: LoadResult, calls: readonly Call[], message: RegExp])[] = [
    ["a failed request", { sent: 500, failed: ["503 UF"] }, SHOP, /^1 of 500 requests failed: 503 UF$/],
    ["a hop that is missing", ALL_WELL, SHOP.slice(1), /^meshctl-ingress → frontend: the sidecar counted 0 requests, 500 were sent$/],
    ["a hop that counted more", ALL_WELL, replace(1, { requests: 501 }), /^frontend → checkout: the sidecar counted 501 requests/],
    ["a hop with failures", ALL_WELL, replace(1, { failed: 3 }), /^frontend → checkout: 3 requests failed$/],
    ["plaintext", ALL_WELL, replace(2, { overTls: 450 }), /^checkout → payments: 498 of 500 requests came over mutual TLS$/],
    [
      "a split that is far off",
      ALL_WELL,
      [...replace(2, { requests: 400 }).slice(0, 3), { ...SHOP[3]!, requests: 100 }],
      /^payments v2 got 100 of 500/,
    ],
  ];
  for (const [title, load, calls, message] of STRANGE) {
    test(`reports ${title}`, () => {
      const surprises = findSurprises(load, graph(calls));
      assert.equal(surprises.length, 1, surprises.join("\n"));
      assert.match(surprises[0]!, message);
    });
  }

  test("reports an identity that is not the service's", () => {
    const edges = graph(SHOP).map((edge) => (edge.service === "checkout" ? { ...edge, toIdentity: `${SA}thief` } : edge));
    assert.deepEqual(findSurprises(ALL_WELL, edges), [`frontend → checkout: the server proved to be ${SA}thief`]);
  });
});
