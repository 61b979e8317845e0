// What a retry policy asks for, compiled once for a route: which failures and which responses are worth another try
// (Envoy's retry_on words).
import { RETRY_WORDS, type HeaderMatch, type RetryPolicy, type RetryWord } from "../config/route-config.ts";
import type { Cause } from "../failure/cause.ts";
import { Causes } from "../failure/causes.ts";
import { HeaderId, UNKNOWN, headerIdOf } from "../http/header-id.ts";
import type { HeaderList } from "../http/header-list.ts";
import type { RequestHead } from "../http/stream.ts";
import { compileHeader, compileValueTest, type RequestPredicate } from "./route-matcher.ts";

type Words = number;
const Word = Object.fromEntries(RETRY_WORDS.map((word, index) => [word, 1 << index])) as Record<RetryWord, Words>;

// By grpc-status.
const GRPC_WORDS: readonly (RetryWord | undefined)[] = [];
const setGrpc = GRPC_WORDS as (RetryWord | undefined)[];
setGrpc[1] = "cancelled";
setGrpc[4] = "deadline-exceeded";
setGrpc[8] = "resource-exhausted";
setGrpc[13] = "internal";
setGrpc[14] = "unavailable";
const ANY_GRPC = setGrpc.reduce((words, word) => (word === undefined ? words : words | Word[word]), 0);
const BY_HEADERS = ANY_GRPC | Word["retriable-headers"] | Word["envoy-ratelimited"] | Word["retriable-status-codes"];
const BY_ERROR = BY_HEADERS | Word["5xx"] | Word["gateway-error"] | Word["retriable-4xx"];

const RATE_LIMITED = "x-envoy-ratelimited";
const GRPC_STATUS = HeaderId["grpc-status"];

export class RetryConditions {
  readonly policy: RetryPolicy;
  readonly #words: Words;
  readonly #headers: readonly ((headers: HeaderList) => boolean)[];
  readonly #requests: readonly RequestPredicate[];

  constructor(policy: RetryPolicy) {
    this.policy = policy;
    this.#words = policy.retryOn.reduce((words, word) => words | Word[word], 0);
    this.#headers = policy.retriableHeaders.map(compileResponseHeader);
    this.#requests = policy.retriableRequestHeaders.map(compileHeader);
  }

  /** Requests of this kind are tried again at all. */
  allows(request: RequestHead): boolean {
    if (this.#words === 0 || this.policy.numRetries === 0) return false;
    return this.#requests.length === 0 || this.#requests.some((matches) => matches(request, request.path));
  }

  /** A failure before any response. */
  wantsFailure(cause: Cause): boolean {
    if (cause === Causes.upstreamOverflow || cause === Causes.upstreamTimeout) return false;
    let words = Word["5xx"] | Word["gateway-error"] | Word["reset"];
    if (cause.flag === "UF") words |= Word["connect-failure"] | Word["reset-before-request"];
    if (cause === Causes.upstreamRefused) words |= Word["refused-stream"];
    return (this.#words & words) !== 0;
  }

  /** False: a response of this status is none, whatever its headers say. */
  mayWantResponse(status: number): boolean {
    return (this.#words & (status >= 400 ? BY_ERROR : BY_HEADERS)) !== 0;
  }

  wantsResponse(status: number, headers: HeaderList): boolean {
    if (!this.#wantsStatus(status) && !this.#wantsGrpc(headers) && !this.#wantsHeaders(headers))
      return this.#has("envoy-ratelimited") && headers.joinedUnknown(RATE_LIMITED) !== undefined;
    // Envoy: what a rate limit has refused is tried again only where that word asks for it.
    return this.#has("envoy-ratelimited") || headers.joinedUnknown(RATE_LIMITED) === undefined;
  }

  #has(word: RetryWord): boolean {
    return (this.#words & Word[word]) !== 0;
  }

  #wantsStatus(status: number): boolean {
    let words = 0;
    if (status >= 500) words = status >= 502 && status <= 504 ? Word["5xx"] | Word["gateway-error"] : Word["5xx"];
    else if (status === 409) words = Word["retriable-4xx"];
    if ((this.#words & words) !== 0) return true;
    return this.#has("retriable-status-codes") && this.policy.retriableStatusCodes.includes(status);
  }

  #wantsGrpc(headers: HeaderList): boolean {
    if ((this.#words & ANY_GRPC) === 0) return false;
    const status = headers.get(GRPC_STATUS);
    const word = status === undefined ? undefined : GRPC_WORDS[Number(status)];
    return word !== undefined && this.#has(word);
  }

  #wantsHeaders(headers: HeaderList): boolean {
    return this.#has("retriable-headers") && this.#headers.some((matches) => matches(headers));
  }
}

function compileResponseHeader(match: HeaderMatch): (headers: HeaderList) => boolean {
  const test = compileValueTest(match);
  const id = headerIdOf(match.name);
  return id === UNKNOWN ? (headers) => test(headers.joinedUnknown(match.name)) : (headers) => test(headers.joined(id));
}
