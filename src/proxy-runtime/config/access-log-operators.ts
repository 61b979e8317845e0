// The command operators of access logs and what each takes in parentheses. What they print is in
// telemetry/access-log/operators.ts; a test holds the two lists together.
import { compileTimeFormat } from "./time-format.ts";

/** Checks the text in parentheses ("" where there are none): what is wrong with it, or undefined. */
export type ArgumentCheck = (argument: string) => string | undefined;
export type Argument = "none" | "optional" | "required" | ArgumentCheck;

const oneOf =
  (...allowed: readonly string[]): ArgumentCheck =>
  (argument) =>
    allowed.includes(argument) ? undefined : `takes one of ${allowed.filter((each) => each !== "").join(", ")}`;

export const checkHeaderNames: ArgumentCheck = (argument) => {
  const names = argument.split("?");
  const isGood = names.length <= 2 && names.every((name) => name !== "");
  return isGood ? undefined : "needs a header name, as in (x-example), or two: (x-first?x-second)";
};

export const checkTime: ArgumentCheck = (argument) => {
  const format = compileTimeFormat(argument);
  return "unknown" in format ? `doesn't know the time conversion ${format.unknown}` : undefined;
};

const checkPath: ArgumentCheck = (argument) => {
  const [query = "WQ", which = "ORIG_OR_PATH", ...more] = argument.split(":").map((each) => each || undefined);
  const isGood = ["WQ", "NQ"].includes(query) && ["ORIG", "PATH", "ORIG_OR_PATH"].includes(which) && more.length === 0;
  return isGood ? undefined : "takes WQ or NQ and then ORIG, PATH or ORIG_OR_PATH, as in (NQ:PATH)";
};

/** NAME_ADDRESS, NAME_ADDRESS_WITHOUT_PORT and NAME_PORT. */
function socketAddress(name: string): Record<string, Argument> {
  return { [`${name}_ADDRESS`]: "none", [`${name}_ADDRESS_WITHOUT_PORT`]: "none", [`${name}_PORT`]: "none" };
}

export const ACCESS_LOG_OPERATORS: Readonly<Record<string, Argument>> = {
  START_TIME: checkTime,
  EMIT_TIME: checkTime,
  REQ: checkHeaderNames,
  REQUEST_HEADER: checkHeaderNames,
  REQ_WITHOUT_QUERY: checkHeaderNames,
  RESP: checkHeaderNames,
  RESPONSE_HEADER: checkHeaderNames,
  TRAILER: checkHeaderNames,
  RESPONSE_TRAILER: checkHeaderNames,
  PATH: checkPath,
  QUERY_PARAM: "required",
  QUERY_PARAMS: "none",
  PROTOCOL: "none",
  UPSTREAM_PROTOCOL: "none",
  RESPONSE_CODE: "none",
  RESPONSE_CODE_DETAILS: "none",
  CONNECTION_TERMINATION_DETAILS: "none",
  RESPONSE_FLAGS: "none",
  RESPONSE_FLAGS_LONG: "none",
  BYTES_RECEIVED: "none",
  BYTES_SENT: "none",
  REQUEST_HEADERS_BYTES: "none",
  RESPONSE_HEADERS_BYTES: "none",
  DURATION: "none",
  REQUEST_DURATION: "none",
  REQUEST_TX_DURATION: "none",
  RESPONSE_DURATION: "none",
  RESPONSE_TX_DURATION: "none",
  ROUTE_NAME: "none",
  UPSTREAM_HOST: "none",
  UPSTREAM_CLUSTER: "none",
  UPSTREAM_CLUSTER_RAW: "none",
  UPSTREAM_REQUEST_ATTEMPT_COUNT: "none",
  UPSTREAM_TRANSPORT_FAILURE_REASON: "none",
  UPSTREAM_PEER_URI_SAN: "none",
  ...socketAddress("UPSTREAM_REMOTE"),
  ...socketAddress("UPSTREAM_LOCAL"),
  ...socketAddress("DOWNSTREAM_REMOTE"),
  ...socketAddress("DOWNSTREAM_DIRECT_REMOTE"),
  ...socketAddress("DOWNSTREAM_LOCAL"),
  ...socketAddress("DOWNSTREAM_DIRECT_LOCAL"),
  DOWNSTREAM_TLS_VERSION: "none",
  DOWNSTREAM_PEER_URI_SAN: "none",
  DOWNSTREAM_PEER_DNS_SAN: "none",
  DOWNSTREAM_PEER_SUBJECT: "none",
  DOWNSTREAM_PEER_FINGERPRINT_256: "none",
  DOWNSTREAM_LOCAL_URI_SAN: "none",
  REQUESTED_SERVER_NAME: "none",
  CONNECTION_ID: "none",
  GRPC_STATUS: oneOf("", "CAMEL_STRING", "SNAKE_STRING", "NUMBER"),
  GRPC_STATUS_NUMBER: "none",
  HOSTNAME: "none",
  ENVIRONMENT: "required",
};
