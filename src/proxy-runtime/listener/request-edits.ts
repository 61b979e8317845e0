// What the connection manager does to a request before it is routed: the headers that say where it came from, its
// request id, and a host and path that mean one thing only. Envoy's rules; see its `http_connection_manager` headers page.
import type { HttpConnectionManagerConfig } from "../config/listener-config.ts";
import { ConstantHeader } from "../http/header-field.ts";
import { HeaderId, REMOVED } from "../http/header-id.ts";
import { HeaderMask, type HeaderList } from "../http/header-list.ts";
import type { RequestHead } from "../http/stream.ts";
import type { StreamInfo } from "../telemetry/stream-info.ts";
import { ClientAddresses } from "./client-address.ts";
import { editClientCertificate } from "./client-certificate-header.ts";
import { mayNeedNormalization, normalizePath } from "./path-normalization.ts";
import { newRequestId } from "./request-id.ts";

// Said by proxies to proxies about where a request came from: from outside it would be a lie.
const EDGE_ONLY = [
  HeaderId["x-envoy-decorator-operation"],
  HeaderId["x-envoy-downstream-service-cluster"],
  HeaderId["x-envoy-downstream-service-node"],
  HeaderId["x-envoy-original-path"],
  HeaderId["x-envoy-original-host"],
];
// What steers the router: for internal requests only.
const STEERING = [
  HeaderId["x-envoy-retry-on"],
  HeaderId["x-envoy-retry-grpc-on"],
  HeaderId["x-envoy-max-retries"],
  HeaderId["x-envoy-retriable-status-codes"],
  HeaderId["x-envoy-retriable-header-names"],
  HeaderId["x-envoy-hedge-on-per-try-timeout"],
  HeaderId["x-envoy-upstream-alt-stat-name"],
  HeaderId["x-envoy-upstream-rq-timeout-ms"],
  HeaderId["x-envoy-upstream-rq-per-try-timeout-ms"],
  HeaderId["x-envoy-upstream-rq-timeout-alt-response"],
  HeaderId["x-envoy-upstream-stream-duration-ms"],
  HeaderId["x-envoy-expected-rq-timeout-ms"],
  HeaderId["x-envoy-force-trace"],
  HeaderId["x-envoy-ip-tags"],
];
const ANY_EDGE_ONLY = new HeaderMask(EDGE_ONLY);
const ANY_STEERING = new HeaderMask(STEERING);
const INTERNAL = HeaderId["x-envoy-internal"];
const FORWARDED_PROTO = HeaderId["x-forwarded-proto"];
const PROTO_HTTP = ConstantHeader.known(FORWARDED_PROTO, "http");
const PROTO_HTTPS = ConstantHeader.known(FORWARDED_PROTO, "https");
const FORWARDED_PORT = HeaderId["x-forwarded-port"];
const REQUEST_ID = HeaderId["x-request-id"];

/** `redirect`: the client is to ask for `head.path`, which is what its path means. */
export type EditOutcome = "ok" | "redirect" | "reject_path" | "reject_underscore";

/** One connection manager's edits, shared by its requests. */
export class RequestEdits {
  readonly #config: HttpConnectionManagerConfig;
  readonly #addresses: ClientAddresses;
  readonly #editsPath: boolean;
  readonly #editsHost: boolean;

  constructor(config: HttpConnectionManagerConfig) {
    this.#config = config;
    this.#addresses = new ClientAddresses(config);
    this.#editsPath = config.normalizePath || config.mergeSlashes || config.escapedSlashes !== "keep";
    this.#editsHost = config.stripHostPort !== "none" || config.stripTrailingHostDot;
  }

  /** Before anything else looks at the request. */
  apply(head: RequestHead, info: StreamInfo, peerIp: string): EditOutcome {
    const config = this.#config;
    const { headers } = head;
    if (config.headersWithUnderscores !== "allow" && !checkUnderscores(headers, config.headersWithUnderscores)) return "reject_underscore";
    if (this.#editsPath && mayNeedNormalization(head.path)) {
      const { path, outcome } = normalizePath(head.path, config);
      head.path = path;
      if (outcome !== "ok") return outcome === "redirect" && !info.isGrpc ? "redirect" : "reject_path";
    }
    if (this.#editsHost) this.#editHost(head, info);
    this.#editOrigin(head, info, peerIp);
    editClientCertificate(head, config, info.connection);
    if (config.via !== "") appendVia(headers, config.via);
    return "ok";
  }

  #editOrigin(head: RequestHead, info: StreamInfo, peerIp: string): void {
    const config = this.#config;
    const { headers } = head;
    const client = this.#addresses.take(headers, peerIp);
    if (client.isForwarded) info.clientIp = client.ip;
    this.#editForwarded(head, info);
    if (headers.has(INTERNAL)) headers.remove(INTERNAL);
    const isEdge = !client.isInternal && config.useRemoteAddress;
    if (client.isInternal) headers.set(INTERNAL, "true");
    else if (headers.mayHave(ANY_STEERING)) for (const id of STEERING) headers.remove(id);
    if (isEdge) {
      if (headers.mayHave(ANY_EDGE_ONLY)) for (const id of EDGE_ONLY) headers.remove(id);
      headers.set(HeaderId["x-envoy-external-address"], client.ip);
    }
    if (config.generateRequestId && (!headers.has(REQUEST_ID) || (isEdge && !config.preserveExternalRequestId)))
      headers.set(REQUEST_ID, newRequestId());
  }

  #editForwarded(head: RequestHead, info: StreamInfo): void {
    const { useRemoteAddress, xffTrustedHops, appendForwardedPort, schemeOverwrite } = this.#config;
    const { headers } = head;
    const { connection } = info;
    const isTrusted = !useRemoteAddress || xffTrustedHops > 0;
    const proto = isTrusted ? headers.get(FORWARDED_PROTO) : undefined;
    // From the connection, not from the scheme of an absolute target: anybody may write that.
    if (proto === undefined) headers.setConstant(connection.tlsVersion === "" ? PROTO_HTTP : PROTO_HTTPS);
    else if (!head.isAbsoluteForm && (proto === "http" || proto === "https")) head.scheme = proto;
    if (appendForwardedPort && !(isTrusted && headers.has(FORWARDED_PORT))) headers.set(FORWARDED_PORT, portOf(connection.localAddress));
    if (schemeOverwrite === undefined) return;
    head.scheme = schemeOverwrite;
    headers.set(FORWARDED_PROTO, schemeOverwrite);
  }

  #editHost(head: RequestHead, info: StreamInfo): void {
    const { stripHostPort, stripTrailingHostDot } = this.#config;
    const [whole, name = "", port = ""] = /^(.*?)((?<=\]|[^:]):\d*)?$/.exec(head.authority)!;
    const keepsPort = stripHostPort === "none" || (stripHostPort === "matching" && port !== `:${portOf(info.connection.localAddress)}`);
    const host = (stripTrailingHostDot ? name.replace(/\.$/, "") : name) + (keepsPort ? port : "");
    if (host === whole) return;
    head.authority = host;
    head.headers.set(HeaderId["host"], host);
  }
}

/** RFC 9110 §7.6.3. */
export function appendVia(headers: HeaderList, via: string): void {
  const id = HeaderId["via"];
  const before = headers.joined(id);
  headers.set(id, before === undefined ? via : `${before}, ${via}`);
}

/** Drops headers with an underscore in their name, which some applications read as a dash; or answers false for one. */
function checkUnderscores(headers: HeaderList, action: "reject" | "drop"): boolean {
  for (let index = 0; index < headers.ids.length; index += 1) {
    if (headers.ids[index] === REMOVED || !headers.nameAt(index).includes("_")) continue;
    if (action === "reject") return false;
    headers.ids[index] = REMOVED;
  }
  return true;
}

function portOf(address: string): string {
  return address.slice(address.lastIndexOf(":") + 1);
}
