// The benchmark's configuration is held against Envoy's own types: what Envoy would refuse to read fails here.
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { createRegistry, fromJson } from "@bufbuild/protobuf";
import type { JsonValue } from "@bufbuild/protobuf";
import type { Certificates, Workload } from "../../../bench/certificates.ts";
import { MATCHING_RULE, REQUEST, RULES } from "../../../bench/rules.ts";
import { sidecarBootstrap } from "../../../bench/subject/bootstrap.ts";
import { BootstrapSchema } from "../../../src/xds/gen/envoy/config/bootstrap/v3/bootstrap_pb.ts";
import { RouterSchema } from "../../../src/xds/gen/envoy/extensions/filters/http/router/v3/router_pb.ts";
import { HttpConnectionManagerSchema } from "../../../src/xds/gen/envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager_pb.ts";
import {
  DownstreamTlsContextSchema,
  UpstreamTlsContextSchema,
} from "../../../src/xds/gen/envoy/extensions/transport_sockets/tls/v3/tls_pb.ts";

const registry = createRegistry(RouterSchema, HttpConnectionManagerSchema, DownstreamTlsContextSchema, UpstreamTlsContextSchema);
const parse = (text: string) => fromJson(BootstrapSchema, JSON.parse(text) as JsonValue, { registry });

function workload(name: string): Workload {
  return {
    name,
    spiffeId: `spiffe://cluster.local/ns/bench/sa/${name}`,
    dnsName: `${name}.bench`,
    certificateFile: `${name}.pem`,
    keyFile: `${name}.key`,
    bothFile: `${name}-both.pem`,
  };
}
const certificates: Certificates = {
  rootsFile: "roots.pem",
  client: workload("client"),
  server: workload("server"),
  stranger: workload("stranger"),
};

describe("the benchmark's bootstrap", () => {
  for (const end of [undefined, "client", "server"] as const) {
    test(`of ${end === undefined ? "a plain hop" : `the ${end}'s sidecar`} is one that Envoy's types accept`, () => {
      const tls = end === undefined ? {} : { tls: { end, certificates } };
      const bootstrap = parse(sidecarBootstrap({ adminPort: 1, listenPort: 2, upstreamPorts: [3, 4], ...tls }));
      assert.equal(bootstrap.staticResources?.listeners.length, 1);
      assert.equal(bootstrap.staticResources.clusters[0]?.loadAssignment?.endpoints[0]?.lbEndpoints.length, 2);
      assert.equal(bootstrap.staticResources.secrets.length, end === undefined ? 0 : 2);
    });
  }

  test("asks each end for the other's identity", () => {
    const peerOf = (end: "client" | "server") =>
      sidecarBootstrap({ adminPort: 1, listenPort: 2, upstreamPorts: [3], tls: { end, certificates } });
    assert.ok(peerOf("client").includes('"exact": "spiffe://cluster.local/ns/bench/sa/server"'));
    assert.ok(peerOf("server").includes('"exact": "spiffe://cluster.local/ns/bench/sa/client"'));
  });

  test("has rules of which only the last fits the request, so that all of them are tried", () => {
    const fitting = RULES.filter(({ prefix, header }) => REQUEST.path.startsWith(prefix) && header === undefined);
    assert.deepEqual(
      fitting.map((each) => each.name),
      [MATCHING_RULE],
    );
    assert.equal(RULES.at(-1)?.name, MATCHING_RULE);
  });
});
