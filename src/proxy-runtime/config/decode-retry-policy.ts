// RetryPolicy of a route or virtual host.
import { PreviousHostsPredicateSchema } from "../../xds/gen/envoy/extensions/retry/host/previous_hosts/v3/previous_hosts_pb.ts";
import type { RetryPolicy as RetryPolicyMessage } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { RetryPolicy_RetryBackOffSchema, RetryPolicySchema } from "../../xds/gen/envoy/config/route/v3/route_components_pb.ts";
import { durationMs } from "./decode-values.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join, typeName } from "./decoding.ts";
import type { RetryPolicy } from "./route-config.ts";

const RETRY = fieldRules(RetryPolicySchema, [
  "retry_on",
  "num_retries",
  "per_try_timeout",
  "retry_host_predicate",
  "host_selection_retry_max_attempts",
  "retriable_status_codes",
  "retry_back_off",
]);
const BACK_OFF = fieldRules(RetryPolicy_RetryBackOffSchema, ["base_interval", "max_interval"]);

/** Words of retry_on that the router acts on. */
export const RETRY_WORDS: ReadonlySet<string> = new Set([
  "5xx",
  "gateway-error",
  "reset",
  "reset-before-request",
  "connect-failure",
  "refused-stream",
  "retriable-4xx",
  "retriable-status-codes",
  "cancelled",
  "deadline-exceeded",
  "internal",
  "resource-exhausted",
  "unavailable",
]);
const ENVOY_ONLY_WORDS: ReadonlySet<string> = new Set(["retriable-headers", "envoy-ratelimited", "http3-post-connect-failure"]);

export function decodeRetryPolicy(decoding: Decoding, policy: RetryPolicyMessage, path: string): RetryPolicy | undefined {
  decoding.check(RETRY, policy, path);
  const backOff = policy.retryBackOff;
  const backOffPath = join(path, "retry_back_off");
  if (backOff !== undefined) decoding.check(BACK_OFF, backOff, backOffPath);
  const backoffBaseMs = durationMs(decoding, backOff?.baseInterval, join(backOffPath, "base_interval"), 25);
  const backoffMaxMs = durationMs(decoding, backOff?.maxInterval, join(backOffPath, "max_interval"), backoffBaseMs * 10);
  if (backoffBaseMs === 0) decoding.problem(join(backOffPath, "base_interval"), "must be above 0");
  if (backoffMaxMs < backoffBaseMs) decoding.problem(join(backOffPath, "max_interval"), "below base_interval");
  const retryOn = decodeRetryOn(decoding, policy.retryOn, join(path, "retry_on"));
  const value: RetryPolicy = {
    retryOn,
    numRetries: policy.numRetries ?? 1,
    perTryTimeoutMs: durationMs(decoding, policy.perTryTimeout, join(path, "per_try_timeout"), 0),
    retriableStatusCodes: policy.retriableStatusCodes,
    backoffBaseMs,
    backoffMaxMs,
    avoidPreviousHostsAttempts: decodePredicates(decoding, policy, path),
  };
  return value.numRetries === 0 || retryOn.length === 0 ? undefined : value;
}

function decodeRetryOn(decoding: Decoding, text: string, path: string): readonly string[] {
  const words = text.split(",").flatMap((word) => (word.trim() === "" ? [] : [word.trim()]));
  return words.filter((word) => {
    if (RETRY_WORDS.has(word)) return true;
    if (ENVOY_ONLY_WORDS.has(word)) decoding.unsupported(path, word);
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
