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
  tls: "tls",
  https: "tls",
  mongo: "tcp",
  mysql: "tcp",
  redis: "tcp",
  "kubernetes.io/h2c": "http2",
  "kubernetes.io/ws": "http",
  "kubernetes.io/wss": "tls",
};

/**
 * Ports whose servers speak first or whose protocols are never HTTP, so that there are no first bytes to wait for: Istio's
 * (SMTP, DNS, MySQL, MongoDB), Linkerd's opaque ports, and FTP, SSH, POP3, IMAP and their kin.
 */
const NEVER_SNIFFED: ReadonlySet<number> = new Set([21, 22, 25, 53, 110, 119, 143, 587, 3306, 4444, 5432, 5900, 6379, 9300, 11211, 27017]);

export function protocolOf(port: ServicePortObject): PortProtocol {
  const declared = port.appProtocol === undefined ? undefined : BY_NAME[port.appProtocol.toLowerCase()];
  if (declared !== undefined) return declared;
  const name = port.name.toLowerCase();
  if (name === "grpc-web" || name.startsWith("grpc-web-")) return "http";
  const dash = name.indexOf("-");
  const named = BY_NAME[dash < 0 ? name : name.slice(0, dash)];
  return named ?? (NEVER_SNIFFED.has(port.port) ? "tcp" : "auto");
}

/** The sidecar passes the bytes on without a look at them. */
export function isRelayed(protocol: PortProtocol): boolean {
  return protocol === "tcp" || protocol === "tls";
}
