// What the connection manager does to a request before it is routed: the headers that say where it came from, its
// request id, and a path that means one thing only. Envoy's rules; see its `http_connection_manager` headers page.
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";
import { HeaderId } from "../http/header-id.ts";
import type { RequestHead } from "../http/stream.ts";
import type { ConnectionInfo } from "../telemetry/stream-info.ts";
import { normalizePath } from "./path-normalization.ts";
import { newRequestId } from "./request-id.ts";

// Set by proxies for proxies; from outside they would steer us.
const INTERNAL_ONLY = [
  HeaderId["x-envoy-internal"],
  HeaderId["x-envoy-external-address"],
  HeaderId["x-envoy-original-path"],
  HeaderId["x-envoy-decorator-operation"],
] as const;

/** Answers false for a path that can't be normalized: the request is refused. */
export function editRequest(head: RequestHead, config: HttpConnectionManagerConfig, connection: ConnectionInfo, remoteIp: string): boolean {
  const { headers } = head;
  for (const id of INTERNAL_ONLY) if (headers.has(id)) headers.remove(id);
  if (config.useRemoteAddress && !config.skipXffAppend) {
    const before = headers.joined(HeaderId["x-forwarded-for"]);
    headers.set(HeaderId["x-forwarded-for"], before === undefined ? remoteIp : `${before},${remoteIp}`);
  }
  if (config.useRemoteAddress || !headers.has(HeaderId["x-forwarded-proto"])) {
    // From the connection, not from the scheme of an absolute target: anybody may write that.
    headers.set(HeaderId["x-forwarded-proto"], connection.tlsVersion === "" ? "http" : "https");
  }
  if (
    config.generateRequestId &&
    (!headers.has(HeaderId["x-request-id"]) || (config.useRemoteAddress && !config.preserveExternalRequestId))
  ) {
    headers.set(HeaderId["x-request-id"], newRequestId());
  }
  editClientCertificate(head, config, connection);
  if (config.normalizePath || config.mergeSlashes || config.escapedSlashes !== "keep") {
    const path = normalizePath(head.path, config);
    if (path === undefined) return false;
    head.path = path;
  }
  return true;
}

/** x-forwarded-client-cert, by the configured mode (Envoy's ForwardClientCertDetails). */
function editClientCertificate(head: RequestHead, config: HttpConnectionManagerConfig, connection: ConnectionInfo): void {
  const { headers } = head;
  const id = HeaderId["x-forwarded-client-cert"];
  const mode = config.forwardClientCert;
  if (mode === "always_forward_only") return;
  const mutual = connection.peer !== undefined && connection.peer.uri + connection.peer.subject !== "";
  if (mode === "sanitize" || !mutual) {
    if (headers.has(id)) headers.remove(id);
    return;
  }
  if (mode === "forward_only") return;
  const element = clientCertificateElement(config, connection);
  const before = mode === "append_forward" ? headers.joined(id) : undefined;
  headers.set(id, before === undefined ? element : `${before},${element}`);
}

function clientCertificateElement(config: HttpConnectionManagerConfig, connection: ConnectionInfo): string {
  const peer = connection.peer!;
  const parts: string[] = [];
  if (connection.localUri !== "") parts.push(`By=${connection.localUri}`);
  if (peer.hash !== "") parts.push(`Hash=${peer.hash}`);
  if (config.setClientCertDetails.subject) parts.push(`Subject="${distinguishedName(peer.subject)}"`);
  if (config.setClientCertDetails.uri) parts.push(`URI=${peer.uri}`);
  if (config.setClientCertDetails.dns) for (const name of peer.dns) parts.push(`DNS=${name}`);
  return parts.join(";");
}

/** Node's subject, one attribute a line → RFC 2253 (last first, commas) in the bytes of a header value. */
function distinguishedName(subject: string): string {
  const text = subject
    .split("\n")
    .reverse()
    .join(",")
    .replace(/[\\"]/g, "\\$&")
    .replace(/[\x00-\x1f\x7f]/g, "?");
  return Buffer.from(text, "utf8").latin1Slice();
}
