// Filter chain matches in the words of istioctl's listener table.
import assert from "node:assert/strict";
import { test } from "node:test";
import { describeMatch } from "../../../../src/commands/inspect/proxy-config/listener-table.ts";
import { chainShapes } from "../../../../src/control-plane/translate/inbound-chains.ts";

test("names the protocols of each chain that the control plane makes", () => {
  const names = (protocol: "http" | "http2" | "tcp" | "auto"): string[] =>
    chainShapes(protocol, "PERMISSIVE").map(({ transport, alpn }) =>
      describeMatch({ ...(transport === undefined ? {} : { transportProtocol: transport }), applicationProtocols: [...alpn] }),
    );
  assert.deepEqual(names("auto"), [
    "Trans: tls; App: HTTP TLS",
    "Trans: raw_buffer; App: HTTP",
    "Trans: tls; App: TCP TLS",
    "Trans: raw_buffer",
    "Trans: tls",
  ]);
  for (const kind of ["http", "http2"] as const)
    assert.deepEqual(names(kind), ["Trans: tls; App: Istio HTTP Plain", "Trans: raw_buffer", "Trans: tls"]);
  assert.deepEqual(names("tcp"), ["Trans: tls; App: TCP TLS", "Trans: raw_buffer", "Trans: tls"]);
});

test("tells a few addresses, and how many more there are", () => {
  const ranges = (count: number) => Array.from({ length: count }, (_, index) => ({ addressPrefix: `10.0.0.${index}`, prefixLen: 32 }));
  assert.equal(describeMatch({ prefixRanges: ranges(4) }), "Addr: 10.0.0.0/32,10.0.0.1/32,10.0.0.2/32,10.0.0.3/32");
  assert.equal(
    describeMatch({ prefixRanges: ranges(40), transportProtocol: "raw_buffer" }),
    "Trans: raw_buffer; Addr: 10.0.0.0/32,10.0.0.1/32,10.0.0.2/32 and 37 more",
  );
});

test("lists protocols that nobody has a name for", () => {
  assert.equal(describeMatch({ applicationProtocols: ["h2", "acme-tls/1"] }), "App: h2,acme-tls/1");
  assert.equal(describeMatch(undefined), "ALL");
});
