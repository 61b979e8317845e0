// What each command operator prints of a finished stream. Names and meanings are Envoy's. Which there are and what they
// take in parentheses is checked when configuration is decoded (config/access-log-operators.ts).
import { hostname } from "node:os";
import { formatAddress } from "../../../common/address.ts";
import { compileTimeFormat, isoTime } from "../../config/time-format.ts";
import type { StreamInfo } from "../stream-info.ts";
import { requestValue, responseValue, trailerValue } from "./header-values.ts";
import { grpcStatusText, longResponseFlags } from "./status-names.ts";

/** A number stays one in JSON formats; undefined is `-` in text and null in JSON. */
export type Value = string | number | undefined;
export type Extractor = (info: StreamInfo) => Value;

/** Takes the text in parentheses ("" where there are none), already checked. */
type Operator = (argument: string) => Extractor;

const plain =
  (extract: Extractor): Operator =>
  () =>
    extract;

const text = (value: string): Value => (value === "" ? undefined : value);

/** Whole milliseconds between two moments; undefined where one has not come. */
function elapsed(from: number, to: number): Value {
  return from < 0 || to < 0 ? undefined : Math.max(0, Math.round(to - from));
}

function withoutPort(address: string): Value {
  const at = address.lastIndexOf(":");
  return text((at < 0 ? address : address.slice(0, at)).replace(/^\[(.*)\]$/, "$1"));
}

function portOf(address: string): Value {
  const at = address.lastIndexOf(":");
  return at < 0 ? undefined : Number(address.slice(at + 1));
}

/** NAME_ADDRESS, NAME_ADDRESS_WITHOUT_PORT and NAME_PORT of one socket address. */
function addressOperators(name: string, read: (info: StreamInfo) => string): Record<string, Operator> {
  return {
    [`${name}_ADDRESS`]: plain((info) => text(read(info))),
    [`${name}_ADDRESS_WITHOUT_PORT`]: plain((info) => withoutPort(read(info))),
    [`${name}_PORT`]: plain((info) => portOf(read(info))),
  };
}

/** `NAME` or `NAME?OTHER`. */
function headerOperator(
  read: (info: StreamInfo, lowerName: string) => string | undefined,
): (argument: string) => (info: StreamInfo) => string | undefined {
  return (argument) => {
    const [first = "", second] = argument.toLowerCase().split("?");
    if (second === undefined) return (info) => read(info, first) || undefined;
    return (info) => read(info, first) || read(info, second) || undefined;
  };
}

function withoutQuery(path: string | undefined): Value {
  return path === undefined ? undefined : text(path.split("?", 1)[0]!);
}

function timeOperator(moment: (info: StreamInfo) => number): Operator {
  return (argument) => {
    const format = argument === "" ? { render: isoTime } : compileTimeFormat(argument);
    if ("unknown" in format) throw new Error(`access log: time conversion ${format.unknown}`);
    return (info) => format.render(moment(info));
  };
}

/** `WQ|NQ`, then `:ORIG|PATH|ORIG_OR_PATH`; Envoy's default is the original path with its query. */
const pathOperator: Operator = (argument) => {
  const [query, which] = argument.split(":");
  return (info) => {
    const original = info.requestHeaders?.getByName("x-envoy-original-path");
    const path = which === "PATH" ? info.path : which === "ORIG" ? original : (original ?? info.path);
    return query === "NQ" ? withoutQuery(path) : text(path ?? "");
  };
};

function queryOf(info: StreamInfo): string {
  const path = info.requestHeaders?.getByName("x-envoy-original-path") ?? info.path;
  const at = path.indexOf("?");
  return at < 0 ? "" : path.slice(at + 1);
}

const request = headerOperator(requestValue);
const response = headerOperator(responseValue);
const trailer = headerOperator(trailerValue);
const grpcNumber = (info: StreamInfo): number | undefined => info.grpcStatus;

export const OPERATORS: Readonly<Record<string, Operator>> = {
  START_TIME: timeOperator((info) => info.startedWallMs),
  EMIT_TIME: timeOperator(() => Date.now()),
  REQ: request,
  REQUEST_HEADER: request,
  RESP: response,
  RESPONSE_HEADER: response,
  TRAILER: trailer,
  RESPONSE_TRAILER: trailer,
  REQ_WITHOUT_QUERY: (argument) => {
    const read = request(argument);
    return (info) => withoutQuery(read(info));
  },
  PATH: pathOperator,
  QUERY_PARAM: (argument) => (info) => new URLSearchParams(queryOf(info)).get(argument) ?? undefined,
  QUERY_PARAMS: plain((info) => text(queryOf(info))),
  PROTOCOL: plain((info) => text(info.protocol)),
  UPSTREAM_PROTOCOL: plain((info) => text(info.upstreamProtocol)),
  RESPONSE_CODE: plain((info) => info.responseCode),
  // Relayed connections have no protocol: what ended them stands under CONNECTION_TERMINATION_DETAILS.
  RESPONSE_CODE_DETAILS: plain((info) =>
    info.protocol === "" ? undefined : (info.cause?.details ?? (info.viaUpstream ? "via_upstream" : undefined)),
  ),
  CONNECTION_TERMINATION_DETAILS: plain((info) => (info.protocol === "" ? info.cause?.details : undefined)),
  RESPONSE_FLAGS: plain((info) => (info.flags === "-" ? undefined : info.flags)),
  RESPONSE_FLAGS_LONG: plain((info) => longResponseFlags(info.flags)),
  BYTES_RECEIVED: plain((info) => info.bytesReceived),
  BYTES_SENT: plain((info) => info.bytesSent),
  REQUEST_HEADERS_BYTES: plain((info) => info.requestHeadBytes),
  RESPONSE_HEADERS_BYTES: plain((info) => info.responseHeadBytes),
  DURATION: plain((info) => elapsed(info.startedAt, info.endedAt)),
  REQUEST_DURATION: plain((info) => elapsed(info.startedAt, info.requestEndedAt)),
  REQUEST_TX_DURATION: plain((info) => elapsed(info.startedAt, info.upstreamRequestSentAt)),
  RESPONSE_DURATION: plain((info) => elapsed(info.startedAt, info.upstreamResponseStartedAt)),
  RESPONSE_TX_DURATION: plain((info) => elapsed(info.upstreamResponseStartedAt, info.endedAt)),
  ROUTE_NAME: plain((info) => text(info.routeName)),
  UPSTREAM_HOST: plain((info) => text(info.upstreamHost)),
  UPSTREAM_CLUSTER: plain((info) => text(info.clusterName)),
  UPSTREAM_CLUSTER_RAW: plain((info) => text(info.clusterName)),
  UPSTREAM_REQUEST_ATTEMPT_COUNT: plain((info) => info.attempts),
  UPSTREAM_TRANSPORT_FAILURE_REASON: plain((info) => text(info.upstreamTransportFailure)),
  UPSTREAM_PEER_URI_SAN: plain((info) => text(info.upstreamPeerUri)),
  ...addressOperators("UPSTREAM_REMOTE", (info) => info.upstreamHost),
  ...addressOperators("UPSTREAM_LOCAL", (info) => info.upstreamLocalAddress),
  // Envoy: an address out of x-forwarded-for has no port.
  ...addressOperators("DOWNSTREAM_REMOTE", (info) =>
    info.clientIp === "" ? info.connection.remoteAddress : formatAddress(info.clientIp, 0),
  ),
  ...addressOperators("DOWNSTREAM_DIRECT_REMOTE", (info) => info.connection.remoteAddress),
  ...addressOperators("DOWNSTREAM_LOCAL", (info) => info.connection.localAddress),
  ...addressOperators("DOWNSTREAM_DIRECT_LOCAL", (info) => info.connection.localAddress),
  DOWNSTREAM_TLS_VERSION: plain((info) => text(info.connection.tlsVersion)),
  DOWNSTREAM_PEER_URI_SAN: plain((info) => text(info.connection.peer?.uri ?? "")),
  DOWNSTREAM_PEER_DNS_SAN: plain((info) => text(info.connection.peer?.dns.join(",") ?? "")),
  DOWNSTREAM_PEER_SUBJECT: plain((info) => text(info.connection.peer?.subject ?? "")),
  DOWNSTREAM_PEER_FINGERPRINT_256: plain((info) => text(info.connection.peer?.hash ?? "")),
  DOWNSTREAM_LOCAL_URI_SAN: plain((info) => text(info.connection.localUri)),
  REQUESTED_SERVER_NAME: plain((info) => text(info.connection.serverName)),
  CONNECTION_ID: plain((info) => info.connection.id),
  GRPC_STATUS: (argument) =>
    argument === "NUMBER"
      ? grpcNumber
      : (info) => (info.grpcStatus === undefined ? undefined : grpcStatusText(info.grpcStatus, argument === "SNAKE_STRING")),
  GRPC_STATUS_NUMBER: plain(grpcNumber),
  HOSTNAME: () => {
    const name = hostname();
    return () => text(name);
  },
  ENVIRONMENT: (argument) => {
    const value = text(process.env[argument] ?? "");
    return () => value;
  },
};
