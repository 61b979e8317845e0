// Specs that the mesh refuses and that its CRDs can refuse as well: kind, spec, and how schema-validator.ts tells the problem.
import type { MeshKind } from "../../../src/mesh-api/mesh-kinds.ts";

const to = [{ destination: { host: "a" } }];

export const REFUSED_SPECS: readonly (readonly [MeshKind, unknown, string])[] = [
  ["VirtualService", undefined, "spec: is required"],
  ["VirtualService", {}, "spec.hosts: is required"],
  ["VirtualService", { hosts: [] }, "spec.hosts: has 0 items"],
  ["VirtualService", { hosts: "a" }, "spec.hosts: is no array"],
  ["VirtualService", { hosts: ["a"], http: [{}] }, "spec.http[0]: fits 0 of oneOf"],
  ["VirtualService", { hosts: ["a"], http: [{ route: to, redirect: {} }] }, "spec.http[0]: fits 2 of oneOf"],
  ["VirtualService", { hosts: ["a"], http: [{ route: to, timeout: "5" }] }, "spec.http[0].timeout: does not match"],
  ["VirtualService", { hosts: ["a"], http: [{ route: to, timeout: 5 }] }, "spec.http[0].timeout: is no string"],
  [
    "VirtualService",
    { hosts: ["a"], http: [{ match: [{ uri: { exact: "/", prefix: "/" } }], route: to }] },
    "spec.http[0].match[0].uri: fits 2",
  ],
  [
    "VirtualService",
    { hosts: ["a"], http: [{ route: [{ destination: { host: "a", port: { number: 0 } } }] }] },
    "spec.http[0].route[0].destination.port.number: 0 is out",
  ],
  ["VirtualService", { hosts: ["a"], http: [{ redirect: { redirectCode: 300 } }] }, "spec.http[0].redirect.redirectCode: is none of 301"],
  [
    "VirtualService",
    { hosts: ["a"], tls: [{ match: [{ sniHosts: ["a.*"] }], route: to }] },
    "spec.tls[0].match[0].sniHosts[0]: does not match",
  ],
  [
    "DestinationRule",
    { host: "a", trafficPolicy: { tls: { mode: "SIMPLE" } } },
    "spec.trafficPolicy.tls.mode: is none of DISABLE, ISTIO_MUTUAL",
  ],
  ["DestinationRule", { host: "a", trafficPolicy: { tls: {} } }, "spec.trafficPolicy.tls.mode: is required"],
  [
    "DestinationRule",
    { host: "a", trafficPolicy: { connectionPool: { tcp: { maxConnections: -1 } } } },
    "spec.trafficPolicy.connectionPool.tcp.maxConnections: -1",
  ],
  ["PeerAuthentication", { mtls: { mode: "strict" } }, "spec.mtls.mode: is none of UNSET, DISABLE, PERMISSIVE, STRICT"],
  ["PeerAuthentication", { portLevelMtls: { 80: { mode: "X" } } }, "spec.portLevelMtls.80.mode: is none of"],
];
