// What an app does that a sidecar beside it can't live with: its ports, its user, its group.
import { INIT_CONTAINER, PROXY_CONTAINER } from "../../../manifests/injected-containers.ts";
import { Port, PROXY_GID, PROXY_UID } from "../../../xds/names.ts";
import type { Category, Finding } from "../check-list.ts";
import type { ClusterState, Container, PodObject } from "../cluster-state.ts";
import { editCommand, meshedPods } from "./meshed-pods.ts";
import { podName } from "./pod-reasons.ts";

const SIDECAR_PORTS: ReadonlyMap<number, string> = new Map([
  [Port.admin, "admin"],
  [Port.outbound, "outbound traffic"],
  [Port.probe, "the test of capture"],
  [Port.inbound, "inbound traffic"],
  [Port.mergedMetrics, "merged metrics and probes"],
  [Port.ready, "readiness"],
  [Port.dns, "DNS"],
  [Port.prometheus, "metrics"],
]);

export const conflicts: Category<ClusterState> = {
  name: "conflicts",
  checks: [
    {
      description: "apps use none of the sidecar's ports",
      hint: "port-conflicts",
      severity: "error",
      find: (state) =>
        meshedPods(state).flatMap((pod) =>
          appContainers(pod).flatMap((container) =>
            (container.ports ?? []).flatMap(({ containerPort }): Finding[] => {
              const use = SIDECAR_PORTS.get(containerPort);
              if (use === undefined) return [];
              const message = `${podName(pod)}: container ${container.name} uses port ${containerPort}, which the sidecar needs for ${use}`;
              return [{ message, remedy: editCommand(pod, "give the app another port") }];
            }),
          ),
        ),
    },
    {
      description: `apps don't run as the sidecar's user or group, ${PROXY_UID}`,
      hint: "user-1337",
      severity: "error",
      find: (state) => meshedPods(state).flatMap((pod) => appContainers(pod).flatMap((container) => ownerFindings(pod, container))),
    },
  ],
};

function appContainers({ spec }: PodObject): Container[] {
  // An init container ends before the app begins, unless it restarts; its ports clash all the same while it runs.
  return [...(spec.initContainers ?? []), ...spec.containers].filter(({ name }) => name !== INIT_CONTAINER && name !== PROXY_CONTAINER);
}

function ownerFindings(pod: PodObject, { name, securityContext }: Container): Finding[] {
  const user = securityContext?.runAsUser ?? pod.spec.securityContext?.runAsUser;
  const group = securityContext?.runAsGroup ?? pod.spec.securityContext?.runAsGroup;
  const owned = user === PROXY_UID ? `user ${PROXY_UID}` : group === PROXY_GID ? `group ${PROXY_GID}` : undefined;
  if (owned === undefined) return [];
  return [
    {
      message: `${podName(pod)}: container ${name} runs as ${owned}, the sidecar's: what it sends is not captured, and leaves in plaintext`,
      remedy: editCommand(pod, "give runAsUser and runAsGroup other numbers"),
    },
  ];
}
