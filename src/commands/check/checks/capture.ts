// Did the init container put its iptables rules in place? When not: why, told from its last words.
import { INIT_CONTAINER } from "../../../manifests/injected-containers.ts";
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState, ContainerStatus, PodObject } from "../cluster-state.ts";
import { meshedPods, restartCommand, statusOf } from "./meshed-pods.ts";
import { podName } from "./pod-reasons.ts";

export const capture: Category<ClusterState> = {
  name: "capture",
  checks: [
    {
      description: "traffic of meshed pods is captured",
      hint: "capture-failed",
      severity: "error",
      find: (state) => meshedPods(state).flatMap((pod) => captureFindings(state, pod)),
    },
  ],
};

/** Whether the init container has ended badly at least once and not well since. */
export function hasCaptureFailed(pod: PodObject): boolean {
  const status = statusOf(pod, INIT_CONTAINER);
  return status !== undefined && failureOf(status) !== undefined;
}

function failureOf({ state, lastState }: ContainerStatus): { exitCode: number; message?: string } | undefined {
  const ended = state?.terminated ?? lastState?.terminated;
  return ended === undefined || ended.exitCode === 0 ? undefined : ended;
}

function captureFindings({ dataPlane, installation }: ClusterState, pod: PodObject): Finding[] {
  const status = statusOf(pod, INIT_CONTAINER);
  const failure = status === undefined ? undefined : failureOf(status);
  if (!hasCaptureFailed(pod) || failure === undefined) return [];
  const log = dataPlane?.captureLogs[`${pod.metadata.namespace}/${pod.metadata.name}`];
  const text = failure.message ?? (log === undefined ? "" : valueOf(log));
  const logs = `kubectl -n ${pod.metadata.namespace} logs ${pod.metadata.name} -c ${INIT_CONTAINER}`;
  const cause = causeOf(text, pod, installation.namespace);
  const said = mainLine(text);
  const message = `${podName(pod)}: container ${INIT_CONTAINER} ended with exit code ${failure.exitCode}${said === "" ? "" : `: ${said}`}`;
  return [{ message: cause === undefined ? message : `${message}\n${cause.meaning}`, remedy: cause?.remedy ?? logs }];
}

interface Cause {
  readonly meaning: string;
  readonly remedy: string;
}

/** By the words of `meshctl init` and of the iptables programs. */
function causeOf(text: string, { metadata, spec }: PodObject, controlPlane: string): Cause | undefined {
  const node = spec.nodeName ?? "NODE";
  const onNode = (command: string): string =>
    `kubectl debug node/${node} -it --profile=sysadmin --image=busybox -- chroot /host ${command}`;
  if (/both in iptables-nft and in iptables-legacy/.test(text))
    return {
      meaning: "the rules stand in both backends of iptables, nf_tables and legacy, and each connection would pass twice",
      remedy: `kubectl -n ${metadata.namespace} delete pod ${metadata.name}    # a new pod has a network namespace without rules`,
    };
  if (/iptables-(nft|legacy)\b.*other rules in iptables-(nft|legacy)/s.test(text))
    return {
      meaning: "other software on the node uses the other backend of iptables, and its rules decide first",
      remedy: onNode("sh -c 'iptables-nft-save; iptables-legacy-save'"),
    };
  if (/kernel lacks modules|can't initialize|No chain\/target\/match|Table does not exist/i.test(text))
    return {
      meaning: `node ${node} lacks kernel modules of the backend that was chosen (nf_tables or legacy)`,
      remedy: onNode("modprobe -a nf_nat nf_conntrack nft_compat iptable_nat ip6table_nat iptable_raw xt_REDIRECT xt_owner"),
    };
  if (/NET_ADMIN|NET_RAW|permission denied|operation not permitted/i.test(text))
    return {
      meaning: "it may not change iptables: Pod Security, a policy or the runtime took its capabilities away",
      remedy: `kubectl label --overwrite namespace ${metadata.namespace} pod-security.kubernetes.io/enforce=privileged`,
    };
  if (/xtables\.lock/.test(text))
    return {
      meaning: "another program holds the lock of iptables, or it can't be written",
      remedy: restartCommand({ metadata, spec, apiVersion: "v1", kind: "Pod" }),
    };
  if (/not installed/.test(text))
    return {
      meaning: "the image lacks iptables",
      remedy: `kubectl -n ${controlPlane} get configmap meshctl-values -o yaml    # image must be one of meshctl's own`,
    };
  return undefined;
}

/** A log of `meshctl init` ends with `meshctl: what is wrong` and perhaps a hint below. */
export function mainLine(text: string): string {
  const lines = text.trimEnd().split("\n");
  return (lines.findLast((each) => each.startsWith("meshctl: ")) ?? lines.at(-1) ?? "").replace(/^meshctl: /, "").slice(0, 400);
}
