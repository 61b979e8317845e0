// Small numbers for the header names that the proxy acts on. The parser finds them by a hash made while it reads the
// name, so that nobody compares names again.

const NAMES = [
  "host",
  "connection",
  "content-length",
  "transfer-encoding",
  "keep-alive",
  "proxy-connection",
  "te",
  "trailer",
  "upgrade",
  "expect",
  "date",
  "server",
  "content-type",
  "user-agent",
  "cookie",
  "authorization",
  "via",
  "x-request-id",
  "x-forwarded-for",
  "x-forwarded-proto",
  "x-forwarded-host",
  "x-forwarded-port",
  "x-forwarded-client-cert",
  "x-mesh-error",
  "x-envoy-upstream-service-time",
  "x-envoy-attempt-count",
  "x-envoy-internal",
  "x-envoy-external-address",
  "x-envoy-original-path",
  "x-envoy-original-host",
  "x-envoy-upstream-rq-timeout-ms",
  "x-envoy-upstream-rq-per-try-timeout-ms",
  "x-envoy-upstream-rq-timeout-alt-response",
  "x-envoy-upstream-stream-duration-ms",
  "x-envoy-upstream-alt-stat-name",
  "x-envoy-retry-on",
  "x-envoy-retry-grpc-on",
  "x-envoy-max-retries",
  "x-envoy-retriable-status-codes",
  "x-envoy-retriable-header-names",
  "x-envoy-hedge-on-per-try-timeout",
  "x-envoy-expected-rq-timeout-ms",
  "x-envoy-is-timeout-retry",
  "x-envoy-overloaded",
  "x-envoy-decorator-operation",
  "x-envoy-downstream-service-cluster",
  "x-envoy-downstream-service-node",
  "x-envoy-force-trace",
  "x-envoy-ip-tags",
  "grpc-status",
  "grpc-message",
  "grpc-timeout",
  "traceparent",
  "tracestate",
  // Pseudo-header fields of HTTP/2; never in a HeaderList.
  ":method",
  ":path",
  ":scheme",
  ":authority",
  ":status",
  ":protocol",
  // Of the mesh transport: what HTTP/2 has no place for (docs/decisions).
  ":version",
  ":target",
  ":reason",
] as const;
// prettier-ignore
export type KnownHeader = (typeof NAMES)[number];

/** A header whose entry was taken out of its list. */
export const REMOVED = -1;
/** A name that is none of ours. */
export const UNKNOWN = 0;

/** `HeaderId["host"]`: 1 and up. */
export const HeaderId = Object.fromEntries(NAMES.map((name, index) => [name, index + 1])) as Record<KnownHeader, number>;

/** Lower-case name by id; index 0 is unknown. */
export const HEADER_NAMES: readonly string[] = ["", ...NAMES];

// tchar of RFC 9110 §5.6.2: the lower-cased byte where it may be part of a name, 0 where not.
export const TOKEN_LOWER = new Uint8Array(256);
for (const char of "!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz") TOKEN_LOWER[char.charCodeAt(0)] = char.charCodeAt(0);
for (const char of "ABCDEFGHIJKLMNOPQRSTUVWXYZ") TOKEN_LOWER[char.charCodeAt(0)] = char.toLowerCase().charCodeAt(0);

/** A token of RFC 9110 §5.6.2: a method, a protocol's name. */
export function isToken(text: string): boolean {
  for (let index = 0; index < text.length; index += 1) if ((TOKEN_LOWER[text.charCodeAt(index)] ?? 0) === 0) return false;
  return text.length > 0;
}

/** One step of the hash over a lower-cased name. */
export function hashStep(hash: number, lower: number): number {
  return (Math.imul(hash, 31) + lower) | 0;
}

const TABLE_SIZE = 256;
const TABLE = new Uint8Array(TABLE_SIZE);
const NAME_BYTES: readonly Uint8Array[] = HEADER_NAMES.map((name) => Buffer.from(name, "latin1"));

function slotOf(hash: number): number {
  return (hash ^ (hash >>> 8) ^ (hash >>> 16)) & (TABLE_SIZE - 1);
}

for (let id = 1; id < HEADER_NAMES.length; id += 1) {
  let slot = slotOf(NAME_BYTES[id]!.reduce(hashStep, 0));
  while (TABLE[slot] !== 0) slot = (slot + 1) & (TABLE_SIZE - 1);
  TABLE[slot] = id;
}

/** Id of the name at bytes[start, end) whose hash was made by hashStep; UNKNOWN for others. */
export function lookupHeaderId(hash: number, bytes: Uint8Array, start: number, end: number): number {
  let slot = slotOf(hash);
  for (let id = TABLE[slot]!; id !== 0; id = TABLE[slot]!) {
    const name = NAME_BYTES[id]!;
    if (name.length === end - start) {
      let index = 0;
      while (index < name.length && TOKEN_LOWER[bytes[start + index]!] === name[index]) index += 1;
      if (index === name.length) return id;
    }
    slot = (slot + 1) & (TABLE_SIZE - 1);
  }
  return UNKNOWN;
}

const ID_BY_NAME = new Map<string, number>(NAMES.map((name, index) => [name, index + 1]));

/** Id of a name given as text in any case. */
export function headerIdOf(name: string): number {
  return ID_BY_NAME.get(name) ?? ID_BY_NAME.get(name.toLowerCase()) ?? UNKNOWN;
}
