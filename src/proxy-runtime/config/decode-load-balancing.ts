// How a cluster picks a host: its policy, the policy's own settings and the panic threshold.
import type { Cluster } from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import {
  Cluster_CommonLbConfigSchema,
  Cluster_LbPolicy as LbPolicy,
  Cluster_LeastRequestLbConfigSchema,
  Cluster_OriginalDstLbConfigSchema,
  Cluster_RoundRobinLbConfigSchema,
} from "../../xds/gen/envoy/config/cluster/v3/cluster_pb.ts";
import type { ClusterConfig } from "./cluster-config.ts";
import type { Decoding } from "./decoding.ts";
import { fieldRules, join } from "./decoding.ts";

const COMMON = fieldRules(Cluster_CommonLbConfigSchema, ["healthy_panic_threshold"], {
  update_merge_window: "when updates are merged, not what they are",
  consistent_hashing_lb_config: "read by ring hash and maglev only, which are refused",
  ignore_new_hosts_until_first_hc: "for active health checks, which a cluster may not ask for",
});
const LEAST_REQUEST = fieldRules(Cluster_LeastRequestLbConfigSchema, ["choice_count", "active_request_bias"]);
const ROUND_ROBIN = fieldRules(Cluster_RoundRobinLbConfigSchema, []);
const ORIGINAL_DST = fieldRules(Cluster_OriginalDstLbConfigSchema, ["upstream_port_override"]);

const POLICIES: Readonly<Partial<Record<LbPolicy, ClusterConfig["lbPolicy"]>>> = {
  [LbPolicy.ROUND_ROBIN]: "round_robin",
  [LbPolicy.LEAST_REQUEST]: "least_request",
  [LbPolicy.RANDOM]: "random",
  [LbPolicy.CLUSTER_PROVIDED]: "cluster_provided",
};

function lbPolicyName(policy: LbPolicy): string {
  return Object.entries(LbPolicy).find(([, number]) => number === policy)?.[0] ?? String(policy);
}

type LoadBalancing = Pick<ClusterConfig, "lbPolicy" | "leastRequestChoices" | "panicThreshold" | "originalDstPort">;

export function decodeLoadBalancing(decoding: Decoding, cluster: Cluster, type: ClusterConfig["type"], path: string): LoadBalancing {
  const lbPolicy = POLICIES[cluster.lbPolicy];
  const policyPath = join(path, "lb_policy");
  if (lbPolicy === undefined)
    decoding.unsupported(policyPath, `${lbPolicyName(cluster.lbPolicy)}; use ROUND_ROBIN, LEAST_REQUEST or RANDOM`);
  else if ((lbPolicy === "cluster_provided") !== (type === "original_dst")) {
    decoding.problem(
      policyPath,
      type === "original_dst"
        ? "must be CLUSTER_PROVIDED for a cluster of type ORIGINAL_DST"
        : "CLUSTER_PROVIDED is for clusters of type ORIGINAL_DST",
    );
  }
  const common = cluster.commonLbConfig;
  if (common !== undefined) decoding.check(COMMON, common, join(path, "common_lb_config"));
  const panicThreshold = common?.healthyPanicThreshold?.value ?? 50;
  if (!(panicThreshold >= 0 && panicThreshold <= 100)) {
    decoding.problem(join(path, "common_lb_config.healthy_panic_threshold.value"), `must be 0 to 100, not ${panicThreshold}`);
  }
  return { lbPolicy: lbPolicy ?? "round_robin", panicThreshold, ...decodePolicySettings(decoding, cluster, path) };
}

function decodePolicySettings(
  decoding: Decoding,
  cluster: Cluster,
  path: string,
): Pick<LoadBalancing, "leastRequestChoices" | "originalDstPort"> {
  const settings = cluster.lbConfig;
  const result: { leastRequestChoices: number; originalDstPort: number | undefined } = {
    leastRequestChoices: 2,
    originalDstPort: undefined,
  };
  if (settings.case === "roundRobinLbConfig") {
    decoding.check(ROUND_ROBIN, settings.value, join(path, "round_robin_lb_config"));
  } else if (settings.case === "leastRequestLbConfig") {
    const inner = join(path, "least_request_lb_config");
    decoding.check(LEAST_REQUEST, settings.value, inner);
    result.leastRequestChoices = settings.value.choiceCount ?? 2;
    if (result.leastRequestChoices < 2) decoding.problem(join(inner, "choice_count"), "must be at least 2");
    if ((settings.value.activeRequestBias?.defaultValue ?? 1) !== 1) decoding.unsupported(join(inner, "active_request_bias"), "only 1.0");
  } else if (settings.case === "originalDstLbConfig") {
    const inner = join(path, "original_dst_lb_config");
    decoding.check(ORIGINAL_DST, settings.value, inner);
    result.originalDstPort = settings.value.upstreamPortOverride;
    if ((result.originalDstPort ?? 0) > 65535) decoding.problem(join(inner, "upstream_port_override"), "must be at most 65535");
  }
  return result;
}
