import { HeaderList } from "../../../../../src/proxy-runtime/http/header-list.ts";
import assert from "node:assert/strict";
import { test } from "node:test";
import { Causes } from "../../../../../src/proxy-runtime/failure/causes.ts";
import { ACCESS_LOG_OPERATORS } from "../../../../../src/proxy-runtime/config/access-log-operators.ts";
import { parseFormat } from "../../../../../src/proxy-runtime/config/command-operators.ts";
import { compileJson, compileText, DEFAULT_FORMAT } from "../../../../../src/proxy-runtime/telemetry/access-log/format.ts";
import { OPERATORS } from "../../../../../src/proxy-runtime/telemetry/access-log/operators.ts";
import { StreamInfo } from "../../../../../src/proxy-runtime/telemetry/stream-info.ts";

const ISTIO_FORMAT =
  '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" %RESPONSE_CODE% %RESPONSE_FLAGS% ' +
  '%RESPONSE_CODE_DETAILS% %CONNECTION_TERMINATION_DETAILS% "%UPSTREAM_TRANSPORT_FAILURE_REASON%" %BYTES_RECEIVED% %BYTES_SENT% ' +
  '%DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" "%REQ(X-REQUEST-ID)%" ' +
  '"%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%" %UPSTREAM_CLUSTER_RAW% %UPSTREAM_LOCAL_ADDRESS% %DOWNSTREAM_LOCAL_ADDRESS% ' +
  "%DOWNSTREAM_REMOTE_ADDRESS% %REQUESTED_SERVER_NAME% %ROUTE_NAME%\n";

function finished(fields: Partial<StreamInfo> = {}): StreamInfo {
  const connection = {
    id: 3,
    remoteAddress: "10.0.0.9:5000",
    localAddress: "[fd00::1]:8080",
    tlsVersion: "TLSv1.3",
    peer: { uri: "spiffe://cluster.local/ns/shop/sa/frontend", subject: "O=x", dns: ["a", "b"], hash: "ab12" },
    localUri: "spiffe://cluster.local/ns/shop/sa/checkout",
    serverName: "sni.example",
  };
  return Object.assign(startedAt(new StreamInfo(connection, 1000), Date.UTC(2016, 3, 15, 20, 17, 0, 310)), {
    protocol: "HTTP/1.1",
    method: "POST",
    path: "/api/v1/locations?x=1&y=%20z",
    authority: "locations.example",
    requestHeaders: HeaderList.of(["User-Agent", "curl/8", "X-Request-Id", "cc21d9b0"]),
    responseHeaders: HeaderList.of(["X-Envoy-Upstream-Service-Time", "226"]),
    requestEndedAt: 1010,
    upstreamRequestSentAt: 1011,
    upstreamResponseStartedAt: 1200,
    responseStartedAt: 1201,
    endedAt: 1226.4,
    responseCode: 204,
    bytesReceived: 154,
    bytesSent: 0,
    routeName: "default",
    clusterName: "outbound|80||locations",
    upstreamHost: "10.0.35.28:80",
    viaUpstream: true,
    attempts: 1,
    ...fields,
  });
}

test("prints Envoy's default format", () => {
  assert.equal(
    compileText(DEFAULT_FORMAT)(finished()),
    '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations?x=1&y=%20z HTTP/1.1" 204 - 154 0 226 226 "-" "curl/8" "cc21d9b0" "locations.example" "10.0.35.28:80"\n',
  );
});

test("prints Istio's default format for a failure", () => {
  const info = finished({
    responseCode: 503,
    cause: Causes.connectFailure,
    viaUpstream: false,
    responseHeaders: HeaderList.of([]),
    upstreamTransportFailure: "refused",
  });
  assert.equal(
    compileText(ISTIO_FORMAT)(info),
    '[2016-04-15T20:17:00.310Z] "POST /api/v1/locations?x=1&y=%20z HTTP/1.1" 503 UF upstream_reset_before_response_started{remote_connection_failure} - ' +
      '"refused" 154 0 226 - "-" "curl/8" "cc21d9b0" "locations.example" "10.0.35.28:80" outbound|80||locations - [fd00::1]:8080 10.0.0.9:5000 sni.example default\n',
  );
});

for (const [format, expected] of [
  ["%REQ(X-NOPE?USER-AGENT)%|%REQ(user-agent):4%|%REQ(X-NOPE):4%", "curl/8|curl|-"],
  ["100%% %PROTOCOL%%%", "100% HTTP/1.1%"],
  ["%START_TIME(%Y/%m/%dT%H:%M:%S.%3f %s %b %j)%", "2016/04/15T20:17:00.310 1460751420 Apr 106"],
  ["%REQUEST_DURATION% %REQUEST_TX_DURATION% %RESPONSE_DURATION% %RESPONSE_TX_DURATION%", "10 11 200 26"],
  ["%DOWNSTREAM_LOCAL_ADDRESS_WITHOUT_PORT% %DOWNSTREAM_LOCAL_PORT% %UPSTREAM_REMOTE_PORT% %UPSTREAM_LOCAL_PORT%", "fd00::1 8080 80 -"],
  [
    "%DOWNSTREAM_PEER_URI_SAN% %DOWNSTREAM_PEER_DNS_SAN% %DOWNSTREAM_TLS_VERSION%",
    "spiffe://cluster.local/ns/shop/sa/frontend a,b TLSv1.3",
  ],
  ["%PATH(NQ)% %QUERY_PARAM(y)% %QUERY_PARAM(q)% %REQ_WITHOUT_QUERY(:PATH)%", "/api/v1/locations  z - /api/v1/locations"],
  ["%RESPONSE_CODE_DETAILS% %RESPONSE_FLAGS_LONG% %GRPC_STATUS% %RESP(:status)%", "via_upstream - - 204"],
] as const) {
  test(`replaces ${format}`, () => assert.equal(compileText(format)(finished()), expected));
}

test("gRPC statuses have three spellings", () => {
  const line = compileText("%GRPC_STATUS% %GRPC_STATUS(SNAKE_STRING)% %GRPC_STATUS(NUMBER)%");
  assert.equal(line(finished({ grpcStatus: 4 })), "DeadlineExceeded DEADLINE_EXCEEDED 4");
  assert.equal(line(finished({ grpcStatus: 77 })), "77 77 77");
});

test("a JSON format keeps structure and types, and escapes what clients send", () => {
  const line = compileJson({
    method: "%REQ(:METHOD)%",
    code: "%RESPONSE_CODE%",
    none: "%REQ(X-NOPE)%",
    mixed: "%RESPONSE_CODE% %REQ(X-NOPE)%",
    nested: { list: ["%DURATION%", 7, true, null] },
    agent: "%REQ(USER-AGENT)%",
  })(finished({ requestHeaders: HeaderList.of(["User-Agent", 'a"\\\u0007\n']) }));
  assert.ok(line.endsWith("}\n") && line.indexOf("\n") === line.length - 1);
  assert.deepEqual(JSON.parse(line), {
    method: "POST",
    code: 204,
    none: null,
    mixed: "204 -",
    nested: { list: [226, 7, true, null] },
    agent: 'a"\\\u0007\n',
  });
});

test("every operator that the decoder accepts is printed, and no other", () => {
  assert.deepEqual(Object.keys(OPERATORS).sort(), Object.keys(ACCESS_LOG_OPERATORS).sort());
});

test("a format that can't be rendered is a problem that names the operator", () => {
  const error = (format: string) => {
    const parsed = parseFormat(format, "access-log");
    return "error" in parsed ? parsed.error : "";
  };
  assert.equal(error(DEFAULT_FORMAT), "");
  assert.equal(error(ISTIO_FORMAT), "");
  assert.match(error("%NO_SUCH_THING%"), /command operator %NO_SUCH_THING%/);
  assert.match(error("100% sure"), /a lone % at position 3; write %% for a percent sign/);
  assert.match(error("%REQ(X"), /a lone %/);
  assert.match(error("%REQ%"), /%REQ% needs a header name/);
  assert.match(error("%REQ(A?B?C)%"), /%REQ% needs a header name/);
  assert.match(error("%PROTOCOL(x)%"), /%PROTOCOL% takes no argument/);
  assert.match(error("%START_TIME(%Q)%"), /%START_TIME% doesn't know the time conversion %Q/);
  assert.match(error("%PATH(XX)%"), /%PATH% takes WQ or NQ/);
  assert.match(error("%GRPC_STATUS(X)%"), /%GRPC_STATUS% takes one of CAMEL_STRING, SNAKE_STRING, NUMBER/);
  assert.throws(() => compileText("%NOPE%"), /access log format: .*%NOPE%/);
});

/** A stream whose wall clock is known. */
function startedAt(info: StreamInfo, wallMs: number): StreamInfo {
  return Object.defineProperty(info, "startedWallMs", { value: wallMs });
}
