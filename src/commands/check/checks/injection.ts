// Pods that should be meshed and aren't, and why.
import { decideInjection, undecidedWords } from "../../../manifests/injection-decision.ts";
import { obstacleOf, otherMeshOf } from "../../../manifests/inject/check-pod.ts";
import { podSecurityWarning } from "../../../manifests/pod-security.ts";
import type { Category, Finding } from "../check-list.ts";
import type { ClusterState, PodObject } from "../cluster-state.ts";
import { editCommand, livePods, meshedPods, namespaceOf, restartCommand, sidecarOf } from "./meshed-pods.ts";
import { podName } from "./pod-reasons.ts";

export const injection: Category<ClusterState> = {
  name: "injection",
  checks: [
    {
      description: "pods that should have a sidecar have one",
      hint: "pods-without-a-sidecar",
      severity: "error",
      find: (state) => livePods(state).flatMap((pod) => (sidecarOf(pod) === undefined ? unmeshed(state, pod) : [])),
    },
    {
      description: "labels and annotations of pods about injection can be understood",
      hint: "injection-labels",
      severity: "warning",
      find: (state) =>
        livePods(state).flatMap((pod) =>
          undecidedWords(pod.metadata).map((message) => ({
            message: `${podName(pod)}: ${message}`,
            remedy: editCommand(pod, "mend it in the pod template"),
          })),
        ),
    },
    {
      description: "no pod has two sidecars",
      hint: "other-meshes",
      severity: "error",
      find: (state) =>
        meshedPods(state).flatMap((pod): Finding[] => {
          const other = otherMeshOf(pod);
          if (other === undefined) return [];
          return [{ message: `${podName(pod)} has our sidecar, and ${other}`, remedy: restartCommand(pod) }];
        }),
    },
  ],
};

function unmeshed(state: ClusterState, pod: PodObject): Finding[] {
  const namespace = namespaceOf(state, pod);
  const name = pod.metadata.namespace ?? "";
  if (name === state.installation.namespace) return [];
  const decision = decideInjection(pod, name, namespace?.metadata, "disabled");
  if (!decision.inject) return asksInVain(state, pod);
  const obstacle = obstacleOf(pod);
  const place = `${podName(pod)} has no sidecar, though ${decision.reason} asks for one`;
  if (obstacle !== undefined) {
    const isWindows = obstacle.word === "windows";
    const remedy = isWindows ? editCommand(pod, "label the pod template meshctl.io/inject=disabled") : restartCommand(pod);
    return [{ message: `${place}: ${obstacle.text}`, remedy }];
  }
  const refused = podSecurityWarning(name, namespace?.metadata);
  if (refused[0] !== undefined)
    return [
      {
        message: `${place}: ${refused[0]}`,
        remedy: `kubectl label --overwrite namespace ${name} pod-security.kubernetes.io/enforce=privileged && ${restartCommand(pod)}`,
      },
    ];
  if (decision.decidedBy === "namespace" && decision.reason.startsWith("annotation"))
    return [
      {
        message: `${place}: the webhook sees labels of namespaces, not annotations`,
        remedy: `kubectl label namespace ${name} meshctl.io/inject=enabled && ${restartCommand(pod)}`,
      },
    ];
  return [{ message: `${place}: it was created before that was said, or while no webhook answered`, remedy: restartCommand(pod) }];
}

/** Who asks for a sidecar and can't get one is not told by the webhook. */
function asksInVain(state: ClusterState, pod: PodObject): Finding[] {
  if (pod.spec.hostNetwork !== true) return [];
  const { hostNetwork: _hostNetwork, ...spec } = pod.spec;
  const namespace = namespaceOf(state, pod);
  const decision = decideInjection({ ...pod, spec }, pod.metadata.namespace ?? "", namespace?.metadata, "disabled");
  // A whole namespace asks for those that can; a pod that asks by itself means itself.
  if (!decision.inject || decision.decidedBy !== "pod") return [];
  return [
    {
      message: `${podName(pod)}: ${decision.reason} asks for a sidecar, which a pod with hostNetwork: true can't have`,
      remedy: editCommand(pod, "take one of the two out"),
      severity: "warning",
    },
  ];
}
