// Which fields an encoder puts into its dynamic table. A field that comes from the table costs the peer neither a check nor
// a slice, so all that repeats should be there, and nothing that doesn't.

/** What to do with a name's values. */
export const Indexing = {
  /** Few values: each goes into the table when it is first seen. */
  first: 0,
  /** Many values, some of which repeat: into the table when seen a second time. */
  second: 1,
  /** As `second`; a short value could be guessed byte by byte from the sizes of blocks: never indexed (RFC 7541 §7.1). */
  secondUnlessShort: 2,
  /** No value comes twice. */
  literal: 3,
  /** Secrets: a literal that no intermediary may put into a table either (RFC 7541 §7.1.3). */
  never: 4,
} as const;
export type Indexing = (typeof Indexing)[keyof typeof Indexing];

/** Shorter cookies are never indexed; nghttp2 draws the line here, too. */
export const SHORT_COOKIE_BYTES = 20;

const NAMES: readonly (readonly [Indexing, string])[] = [
  [Indexing.first, ":authority :method :scheme :status :protocol :version :target :reason"],
  [Indexing.first, "host user-agent accept accept-charset accept-encoding accept-language accept-ranges te trailer via server vary allow"],
  [Indexing.first, "content-type content-encoding content-language cache-control pragma origin upgrade-insecure-requests"],
  [Indexing.first, "access-control-allow-origin access-control-allow-credentials strict-transport-security x-content-type-options"],
  [Indexing.first, "x-frame-options x-xss-protection referrer-policy x-powered-by alt-svc dnt sec-ch-ua sec-ch-ua-mobile"],
  [Indexing.first, "sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site sec-fetch-user sec-websocket-version"],
  [Indexing.first, "x-forwarded-proto x-forwarded-host x-forwarded-port x-envoy-attempt-count x-envoy-internal x-envoy-overloaded"],
  [Indexing.first, "x-envoy-decorator-operation x-envoy-retry-on x-envoy-max-retries x-envoy-upstream-rq-timeout-ms"],
  [Indexing.first, "x-envoy-upstream-rq-per-try-timeout-ms x-envoy-expected-rq-timeout-ms grpc-status grpc-encoding grpc-accept-encoding"],
  [Indexing.secondUnlessShort, "cookie"],
  [Indexing.literal, "x-request-id traceparent tracestate b3 x-b3-traceid x-b3-spanid x-b3-parentspanid x-cloud-trace-context"],
  [Indexing.literal, "x-amzn-trace-id uber-trace-id sec-websocket-key sec-websocket-accept grpc-timeout"],
  [Indexing.never, "authorization proxy-authorization set-cookie"],
];

const BY_NAME = new Map(NAMES.flatMap(([indexing, names]) => names.split(" ").map((name) => [name, indexing] as const)));

/** By lower-case name. */
export function indexingOf(lowerName: string): Indexing {
  return BY_NAME.get(lowerName) ?? Indexing.second;
}
