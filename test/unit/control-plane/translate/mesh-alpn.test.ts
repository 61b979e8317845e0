// What a client offers in its ClientHello decides which of the inbound chains takes it and what both then speak: the
// control plane's chains, the proxy's choice among them, and the server's choice of a token, put together.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { toBinary } from "@bufbuild/protobuf";
import { inboundPorts } from "../../../../src/control-plane/translate/inbound-ports.ts";
import { virtualInbound } from "../../../../src/control-plane/translate/inbound.ts";
import { outboundScope } from "../../../../src/control-plane/translate/outbound-scope.ts";
import { proxyView } from "../../../../src/control-plane/translate/proxy-view.ts";
import { RESOURCE_SCHEMAS } from "../../../../src/control-plane/translate/resources.ts";
import { translateOutbound } from "../../../../src/control-plane/translate/translate.ts";
import { decodeCluster } from "../../../../src/proxy-runtime/config/decode-cluster.ts";
import { decodeListener } from "../../../../src/proxy-runtime/config/decode-listener.ts";
import type { FilterChainConfig } from "../../../../src/proxy-runtime/config/listener-config.ts";
import { compileFilterChains } from "../../../../src/proxy-runtime/listener/filter-chain-match.ts";
import { meshFromYaml } from "../../../support/mesh-from-yaml.ts";

const PORTS = { http: 80, grpc: 81, tcp: 82, auto: 83, unnamed: 84 };
const MESH = `
apiVersion: v1
kind: Service
metadata: { name: api, namespace: shop }
spec:
  clusterIP: 10.96.0.1
  selector: { app: api }
  ports: [{ name: http, port: 80 }, { name: grpc, port: 81 }, { name: tcp, port: 82 }, { name: x, port: 83 }]
---
apiVersion: v1
kind: Pod
metadata: { name: api-1, namespace: shop, labels: { app: api, security.istio.io/tlsMode: istio } }
spec: { serviceAccountName: api }
status: { podIP: 10.244.0.1 }
---
`;
const NODE = { id: "", pod: "api-1", namespace: "shop", serviceAccount: "api", addresses: ["10.244.0.1"], labels: {}, version: "" };

function inboundChains(mode: string): readonly FilterChainConfig[] {
  const policy = { apiVersion: "security.istio.io/v1", kind: "PeerAuthentication", metadata: { name: "default", namespace: "shop" } };
  const snapshot = meshFromYaml(MESH + JSON.stringify({ ...policy, spec: { mtls: { mode } } }));
  const view = proxyView(snapshot, NODE);
  const listener = virtualInbound(snapshot, view, inboundPorts(snapshot, view));
  const decoded = decodeListener(toBinary(RESOURCE_SCHEMAS.listeners, listener));
  assert.ok(decoded.ok);
  return decoded.value.value.filterChains;
}

type Taken = readonly [carriedAs: "http" | "tcp", token: string | undefined] | "plaintext bytes";

/** Which chain takes a connection, and the token that its server picks from what is offered. */
function taken(
  chains: readonly FilterChainConfig[],
  destinationPort: number,
  transport: "tls" | "raw_buffer",
  offered: readonly string[],
): Taken {
  const place = { destinationIp: "10.244.0.1", destinationPort, sourceIp: "10.244.0.2", sourcePort: 9 };
  const chain = chains[compileFilterChains(chains)({ ...place, sniffed: { transport, serverName: "", applicationProtocols: offered } })];
  assert.ok(chain !== undefined, "no chain takes it");
  if (chain.tls === undefined) return chain.filter.kind === "tcp" ? "plaintext bytes" : ["http", undefined];
  return [chain.filter.kind, chain.tls.alpn.find((token) => offered.includes(token))];
}

const MESHCTL_HTTP1 = ["meshctl/1", "istio-http/1.1", "istio", "http/1.1"];
const MESHCTL_HTTP2 = ["meshctl/1", "istio-h2", "istio", "h2"];
const ISTIO_HTTP1 = ["istio-http/1.1", "istio", "http/1.1"];
const ISTIO_HTTP10 = ["istio-http/1.0", "istio", "http/1.0"];
const ISTIO_HTTP2 = ["istio-h2", "istio", "h2"];
const TCP = ["istio"];

for (const mode of ["STRICT", "PERMISSIVE"]) {
  describe(`where mutual TLS is ${mode}`, () => {
    const chains = inboundChains(mode);
    for (const kind of ["http", "grpc", "auto", "unnamed"] as const) {
      test(`two of our sidecars agree on the mesh transport, whatever version they carry, on a port that is ${kind}`, () => {
        assert.deepEqual(taken(chains, PORTS[kind], "tls", MESHCTL_HTTP1), ["http", "meshctl/1"]);
        assert.deepEqual(taken(chains, PORTS[kind], "tls", MESHCTL_HTTP2), ["http", "meshctl/1"]);
        assert.deepEqual(taken(chains, PORTS[kind], "tls", ["meshctl/1"]), ["http", "meshctl/1"]);
      });

      test(`another mesh's sidecar gets the version that it offers on a port that is ${kind}`, () => {
        assert.deepEqual(taken(chains, PORTS[kind], "tls", ISTIO_HTTP1), ["http", "http/1.1"]);
        assert.deepEqual(taken(chains, PORTS[kind], "tls", ISTIO_HTTP10), ["http", "http/1.0"]);
        assert.deepEqual(taken(chains, PORTS[kind], "tls", ISTIO_HTTP2), ["http", "h2"]);
      });
    }

    test("bytes stay bytes where no port says HTTP", () => {
      for (const kind of ["tcp", "auto", "unnamed"] as const) assert.deepEqual(taken(chains, PORTS[kind], "tls", TCP), ["tcp", "istio"]);
      assert.deepEqual(taken(chains, PORTS.tcp, "tls", ISTIO_HTTP2), ["tcp", "istio"]);
    });
  });
}

describe("where mutual TLS is PERMISSIVE", () => {
  const chains = inboundChains("PERMISSIVE");

  test("the application's own TLS is passed on, HTTP/2 or not", () => {
    for (const port of Object.values(PORTS)) assert.equal(taken(chains, port, "tls", ["h2", "http/1.1"]), "plaintext bytes");
  });

  test("plaintext HTTP/2 is HTTP, also where only the bytes say so", () => {
    for (const kind of ["http", "grpc", "auto", "unnamed"] as const)
      assert.deepEqual(taken(chains, PORTS[kind], "raw_buffer", ["h2c"]), ["http", undefined]);
    assert.equal(taken(chains, PORTS.tcp, "raw_buffer", ["h2c"]), "plaintext bytes");
  });
});

test("a client offers the mesh transport wherever a port may carry HTTP, and nowhere else", () => {
  const snapshot = meshFromYaml(MESH);
  const { clusters } = translateOutbound(snapshot, outboundScope(proxyView(snapshot, NODE)));
  const offered = [...clusters].flatMap(([name, cluster]) => {
    const decoded = decodeCluster(toBinary(RESOURCE_SCHEMAS.clusters, cluster));
    assert.ok(decoded.ok);
    const tls = decoded.value.value.transportSocketMatches[0]?.tls;
    return tls === undefined ? [] : [[Number(name.split("|")[1]), tls.alpn]];
  });
  assert.deepEqual(Object.fromEntries(offered), {
    80: ["meshctl/1", "istio"],
    81: ["meshctl/1", "istio"],
    82: ["istio"],
    83: ["meshctl/1", "istio"],
  });
});
