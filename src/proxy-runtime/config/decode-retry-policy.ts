// RetryPolicy of a route or virtual host.
import { PreviousHostsPredicateSchema } from "../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
import type { RetryPolicy as RetryPolicyMessage } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import {
  RetryPolicy_RateLimitedRetryBackOffSchema,
  RetryPolicy_ResetHeaderFormat,
  RetryPolicy_RetryBackOffSchema,
  RetryPolicySchema,
} from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { decodeHeaderMatch } from "./decode-route-match.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import { RETRY_WORDS, type RetryPolicy, type RetryWord } from "./route-config.ts";

const RETRY = fieldRules(RetryPolicySchema, [
  "retry_on",
  "num_retries",
  "per_try_timeout",
  "per_try_idle_timeout",
  "retry_host_predicate",
  "host_selection_retry_max_attempts",
  "retriable_status_codes",
  "retriable_headers",
  "retriable_request_headers",
  "retry_back_off",
  "rate_limited_retry_back_off",
]);
const BACK_OFF = fieldRules(RetryPolicy_RetryBackOffSchema, ["base_interval", "max_interval"]);
const RATE_LIMITED = fieldRules(RetryPolicy_RateLimitedRetryBackOffSchema, ["reset_headers", "max_interval"]);

const KNOWN: ReadonlySet<string> = new Set(RETRY_WORDS);
const UNSUPPORTED: ReadonlySet<string> = new Set(["http3-post-connect-failure"]);

export function decodeRetryPolicy(decoding: Decoding, policy: RetryPolicyMessage, path: string): RetryPolicy {
  decoding.check(RETRY, policy, path);
  const backOff = policy.retryBackOff;
  const backOffPath = join(path, "retry_back_off");
  if (backOff !== undefined) decoding.check(BACK_OFF, backOff, backOffPath);
  const backoffBaseMs = durationMs(decoding, backOff?.baseInterval, join(backOffPath, "base_interval"), 25);
  const backoffMaxMs = durationMs(decoding, backOff?.maxInterval, join(backOffPath, "max_interval"), backoffBaseMs * 10);
  if (backoffBaseMs === 0) decoding.problem(join(backOffPath, "base_interval"), "must be above 0");
  if (backoffMaxMs < backoffBaseMs) decoding.problem(join(backOffPath, "max_interval"), "below base_interval");
  const matches = (field: "retriable_headers" | "retriable_request_headers", matchers: RetryPolicyMessage["retriableHeaders"]) =>
    matchers.map((each, index) => decodeHeaderMatch(decoding, each, `${join(path, field)}[${index}]`));
  return {
    retryOn: decodeRetryOn(decoding, policy.retryOn, join(path, "retry_on")),
    numRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: durationMs(decoding, policy.perTryTimeout, join(path, "per_try_timeout"), 0),
    perTryIdleTimeoutMs: durationMs(decoding, policy.perTryIdleTimeout, join(path, "per_try_idle_timeout"), 0),
    retriableStatusCodes: policy.retriableStatusCodes,
    retriableHeaders: matches("retriable_headers", policy.retriableHeaders),
    retriableRequestHeaders: matches("retriable_request_headers", policy.retriableRequestHeaders),
    backoffBaseMs,
    backoffMaxMs,
    rateLimitedBackoff: decodeRateLimited(decoding, policy, join(path, "rate_limited_retry_back_off")),
    avoidPreviousHostsAttempts: decodePredicates(decoding, policy, path),
  };
}

function decodeRateLimited(decoding: Decoding, policy: RetryPolicyMessage, path: string): RetryPolicy["rateLimitedBackoff"] {
  const backOff = policy.rateLimitedRetryBackOff;
  if (backOff === undefined) return undefined;
  decoding.check(RATE_LIMITED, backOff, path);
  if (backOff.resetHeaders.length === 0) decoding.problem(join(path, "reset_headers"), "must not be empty");
  const headers = backOff.resetHeaders.map((each, index) => {
    if (each.name === "") decoding.problem(`${join(path, "reset_headers")}[${index}].name`, "missing");
    const format = each.format === RetryPolicy_ResetHeaderFormat.UNIX_TIMESTAMP ? ("unix_timestamp" as const) : ("seconds" as const);
    return { name: each.name.toLowerCase(), format };
  });
  return { headers, maxMs: durationMs(decoding, backOff.maxInterval, join(path, "max_interval"), 300_000) };
}

function decodeRetryOn(decoding: Decoding, text: string, path: string): readonly RetryWord[] {
  const words = text.split(",").flatMap((word) => (word.trim() === "" ? [] : [word.trim()]));
  return words.filter((word): word is RetryWord => {
    if (KNOWN.has(word)) return true;
    if (UNSUPPORTED.has(word)) decoding.unsupported(path, word);
    // Envoy ignores words it does not know.
    else decoding.warning(path, `unknown word ${JSON.stringify(word)} is ignored`);
    return false;
  });
}

function decodePredicates(decoding: Decoding, policy: RetryPolicyMessage, path: string): number {
  let avoids = false;
  policy.retryHostPredicate.forEach((predicate, index) => {
    const inner = `${join(path, "retry_host_predicate")}[${index}]`;
    const any = predicate.configType.case === "typedConfig" ? predicate.configType.value : undefined;
    if (any !== undefined && typeName(any) === PreviousHostsPredicateSchema.typeName) avoids = true;
    else
      decoding.problem(
        join(inner, "typed_config"),
        `unknown extension ${any?.typeUrl ?? predicate.name}; meshctl supports ${PreviousHostsPredicateSchema.typeName}`,
      );
  });
  // Envoy: without host_selection_retry_max_attempts one more pick is tried.
  return avoids ? Math.max(1, Number(policy.hostSelectionRetryMaxAttempts)) : 0;
}
