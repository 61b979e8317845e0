// Retries that a request asks for in headers, which only internal requests still have here; they add to what its route
// says (Envoy's router headers).
import { RETRY_WORDS, type RetryPolicy, type RetryWord } from "../config/route-config.ts";
import { HeaderId } from "../http/header-id.ts";
import { HeaderMask, type HeaderList } from "../http/header-list.ts";
import { RetryConditions } from "./retry-conditions.ts";

const RETRY_ON = HeaderId["x-envoy-retry-on"];
const RETRY_GRPC_ON = HeaderId["x-envoy-retry-grpc-on"];
const MAX_RETRIES = HeaderId["x-envoy-max-retries"];
const STATUS_CODES = HeaderId["x-envoy-retriable-status-codes"];
const HEADER_NAMES = HeaderId["x-envoy-retriable-header-names"];
// Hedging is not done: the wish for it is dropped.
const ALL = [RETRY_ON, RETRY_GRPC_ON, MAX_RETRIES, STATUS_CODES, HEADER_NAMES, HeaderId["x-envoy-hedge-on-per-try-timeout"]];
const ANY = new HeaderMask(ALL);

/** Envoy's defaults, for a request whose route has no policy. */
const NO_POLICY: RetryPolicy = {
  retryOn: [],
  numRetries: 1,
  perTryTimeoutMs: 0,
  perTryIdleTimeoutMs: 0,
  retriableStatusCodes: [],
  retriableHeaders: [],
  retriableRequestHeaders: [],
  backoffBaseMs: 25,
  backoffMaxMs: 250,
  rateLimitedBackoff: undefined,
  avoidPreviousHostsAttempts: 0,
};

/** The conditions of one request; its headers are used up. */
export function takeRetryHeaders(headers: HeaderList, conditions: RetryConditions | undefined): RetryConditions | undefined {
  if (!headers.mayHave(ANY)) return conditions;
  const words = [...list(headers, RETRY_ON), ...list(headers, RETRY_GRPC_ON)].filter(isRetryWord);
  const codes = list(headers, STATUS_CODES).filter((text) => /^\d{3}$/.test(text));
  const names = list(headers, HEADER_NAMES);
  const most = headers.get(MAX_RETRIES);
  for (const id of ALL) headers.remove(id);
  const policy = conditions?.policy ?? NO_POLICY;
  const retryOn = [...new Set([...policy.retryOn, ...words])];
  if (retryOn.length === 0) return conditions;
  return new RetryConditions({
    ...policy,
    retryOn,
    numRetries: most !== undefined && /^\d{1,9}$/.test(most) ? Number(most) : policy.numRetries,
    retriableStatusCodes: [...policy.retriableStatusCodes, ...codes.map(Number)],
    retriableHeaders: [
      ...policy.retriableHeaders,
      ...names.map((name) => ({ name: name.toLowerCase(), match: undefined, range: undefined, invert: false, treatMissingAsEmpty: false })),
    ],
  });
}

const KNOWN: ReadonlySet<string> = new Set(RETRY_WORDS);

function isRetryWord(text: string): text is RetryWord {
  return KNOWN.has(text);
}

function list(headers: HeaderList, id: number): string[] {
  return (headers.joined(id) ?? "").split(",").flatMap((each) => (each.trim() === "" ? [] : [each.trim()]));
}
