import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { FilterChainMatch } from "../../../../src/proxy-runtime/config/listener-config.ts";
import { compileFilterChains, type ConnectionFacts } from "../../../../src/proxy-runtime/listener/filter-chain-match.ts";

const ANYTHING: FilterChainMatch = {
  destinationPort: undefined,
  destinationRanges: [],
  serverNames: [],
  transportProtocol: undefined,
  applicationProtocols: [],
  directSourceRanges: [],
  sourceRanges: [],
  sourcePorts: [],
};

interface Facts extends Partial<Omit<ConnectionFacts, "sniffed">>, Partial<ConnectionFacts["sniffed"]> {}

function facts({ transport = "raw_buffer", serverName = "", applicationProtocols = [], ...rest }: Facts): ConnectionFacts {
  return {
    destinationIp: "10.0.0.1",
    destinationPort: 80,
    sourceIp: "10.9.9.9",
    sourcePort: 40000,
    ...rest,
    sniffed: { transport, serverName, applicationProtocols },
  };
}

const range = (text: string) => {
  const [address, length] = text.split("/");
  return { address: address!, prefixLength: Number(length) };
};

/** Name of the chain that each connection gets; `-` for none. */
function choose(chains: Record<string, Partial<FilterChainMatch>>, connection: Facts): string {
  const names = Object.keys(chains);
  const choice = compileFilterChains(names.map((name) => ({ match: { ...ANYTHING, ...chains[name] } })));
  return names[choice(facts(connection))] ?? "-";
}

describe("a filter chain is chosen", () => {
  test("by destination port before anything else", () => {
    const chains = { any: { destinationRanges: [range("10.0.0.1/32")], serverNames: ["a.test"] }, port: { destinationPort: 80 } };
    assert.equal(choose(chains, { serverName: "a.test", transport: "tls" }), "port");
    assert.equal(choose(chains, { destinationPort: 81, serverName: "a.test", transport: "tls" }), "any");
    assert.equal(choose(chains, { destinationPort: 81 }), "-");
  });

  test("by the longest prefix of the destination address", () => {
    const chains = {
      net: { destinationRanges: [range("10.0.0.0/8")] },
      host: { destinationRanges: [range("10.0.0.1/32"), range("fd00::/8")] },
      all: { destinationRanges: [range("0.0.0.0/0")] },
      rest: {},
    };
    assert.equal(choose(chains, {}), "host");
    assert.equal(choose(chains, { destinationIp: "fd00::1" }), "host");
    assert.equal(choose(chains, { destinationIp: "10.0.0.2" }), "net");
    assert.equal(choose(chains, { destinationIp: "11.0.0.2" }), "all");
    assert.equal(choose(chains, { destinationIp: "::1" }), "rest");
  });

  test("by server name: exact, then the longest wildcard, then none", () => {
    const chains = {
      exact: { serverNames: ["a.b.test"] },
      deep: { serverNames: ["*.b.test"] },
      wide: { serverNames: ["*.test"] },
      rest: {},
    };
    assert.equal(choose(chains, { serverName: "a.b.test" }), "exact");
    assert.equal(choose(chains, { serverName: "x.b.test" }), "deep");
    assert.equal(choose(chains, { serverName: "x.y.b.test" }), "deep");
    assert.equal(choose(chains, { serverName: "b.test" }), "wide");
    assert.equal(choose(chains, { serverName: "test" }), "rest");
    assert.equal(choose(chains, { serverName: "xb.test" }), "wide");
    assert.equal(choose(chains, {}), "rest");
  });

  test("by transport and application protocol, and TLS with an unknown protocol goes to the plain TLS chain", () => {
    const chains = {
      mesh: { transportProtocol: "tls", applicationProtocols: ["istio", "istio-http/1.1"] },
      tls: { transportProtocol: "tls" },
      http: { transportProtocol: "raw_buffer", applicationProtocols: ["http/1.1", "h2c"] },
      raw: { transportProtocol: "raw_buffer" },
    } as const;
    assert.equal(choose(chains, { transport: "tls", applicationProtocols: ["istio-http/1.1", "istio"] }), "mesh");
    assert.equal(choose(chains, { transport: "tls", applicationProtocols: ["h2", "istio"] }), "mesh");
    assert.equal(choose(chains, { transport: "tls", applicationProtocols: ["h2"] }), "tls");
    assert.equal(choose(chains, { transport: "tls" }), "tls");
    assert.equal(choose(chains, { applicationProtocols: ["http/1.1"] }), "http");
    assert.equal(choose(chains, {}), "raw");
  });

  test("by the client's own order where it offers protocols of several chains", () => {
    const chains = { one: { applicationProtocols: ["h2"] }, two: { applicationProtocols: ["http/1.1"] } };
    assert.equal(choose(chains, { applicationProtocols: ["http/1.1", "h2"] }), "two");
    assert.equal(choose(chains, { applicationProtocols: ["h2", "http/1.1"] }), "one");
  });

  test("by source address and port last", () => {
    const chains = {
      net: { sourceRanges: [range("10.9.0.0/16")] },
      host: { sourceRanges: [range("10.9.9.9/32")] },
      port: { sourceRanges: [range("10.9.9.9/32")], sourcePorts: [40000] },
      direct: { directSourceRanges: [range("10.9.9.8/32")] },
    };
    assert.equal(choose(chains, {}), "port");
    assert.equal(choose(chains, { sourcePort: 40001 }), "host");
    assert.equal(choose(chains, { sourceIp: "10.9.1.1" }), "net");
    assert.equal(choose(chains, { sourceIp: "10.9.9.8" }), "direct");
  });

  test("without a way back: a better match at one step rules out the others, even if it fails later", () => {
    const chains = { narrow: { destinationPort: 80, serverNames: ["only.test"] }, wide: {} };
    assert.equal(choose(chains, { serverName: "only.test" }), "narrow");
    assert.equal(choose(chains, { serverName: "other.test" }), "-");
  });
});
