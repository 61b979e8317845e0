// Which protocol a Service's port carries: appProtocol, else the port name up to its first dash, else what the first
// bytes say, except on ports whose servers speak first (reference: Istio's protocol selection).
import type { ServicePortObject } from "../ingest/mesh-object.ts";
import type { PortProtocol } from "./mesh-snapshot.ts";

const BY_NAME: Readonly<Record<string, PortProtocol>> = {
  http: "http",
  // Framed for browsers, which speak either version; the workload gets what its client sent.
  "grpc-web": "http",
  http2: "http2",
  grpc: "http2",
  tcp: "tcp",
  tls: "tcp",
  https: "tcp",
  mongo: "tcp",
  mysql: "tcp",
  redis: "tcp",
  "kubernetes.io/h2c": "http2",
  "kubernetes.io/ws": "http",
  "kubernetes.io/wss": "tcp",
};

/** SMTP, DNS, MySQL, MongoDB: the client waits for the server's greeting, so there are no first bytes to look at. */
const SERVER_SPEAKS_FIRST = new Set([25, 53, 3306, 27017]);

export function protocolOf(port: ServicePortObject): PortProtocol {
  const declared = port.appProtocol === undefined ? undefined : BY_NAME[port.appProtocol.toLowerCase()];
  if (declared !== undefined) return declared;
  const name = port.name.toLowerCase();
  if (name === "grpc-web" || name.startsWith("grpc-web-")) return "http";
  const dash = name.indexOf("-");
  const named = BY_NAME[dash < 0 ? name : name.slice(0, dash)];
  return named ?? (SERVER_SPEAKS_FIRST.has(port.port) ? "tcp" : "auto");
}
