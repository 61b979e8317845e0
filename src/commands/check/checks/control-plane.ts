// Is the control plane there, whole, running, and of this version?
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import type { ClusterState, InstalledObject, PodObject } from "../cluster-state.ts";
import { podTrouble, type Trouble } from "./pod-reasons.ts";

const INSTALL = "meshctl install | kubectl apply -f -";
const UPGRADE = "meshctl upgrade | kubectl apply -f -";
const CONTROLLER = "controller";

export const controlPlane: Category<ClusterState> = {
  name: "control-plane",
  checks: [
    {
      description: "control plane is installed",
      hint: "control-plane-installed",
      severity: "error",
      isFatal: true,
      find: ({ installation, controller }) =>
        valueOf(controller).deployment === undefined
          ? [{ message: `there is no Deployment ${CONTROLLER} in namespace ${installation.namespace}`, remedy: INSTALL }]
          : [],
    },
    {
      description: "the values that it was installed with are valid",
      hint: "control-plane-values",
      severity: "error",
      find: ({ installation }) =>
        valueOf(installation.problems).map((message) => ({
          message,
          remedy: `kubectl -n ${installation.namespace} edit configmap meshctl-values`,
        })),
    },
    {
      description: "every object of the installation exists",
      hint: "control-plane-objects",
      severity: "error",
      find: ({ installation }) => installation.objects.flatMap(objectFindings),
    },
    {
      description: "control plane pods are ready",
      hint: "control-plane-pods",
      severity: "error",
      find: ({ controller, installation: { namespace } }) => {
        const { pods, deployment } = valueOf(controller);
        // Scaled to 0 is told below.
        if (valueOf(pods).length === 0 && deployment?.spec?.replicas !== 0)
          return [{ message: "there are none", mayPass: true, remedy: describeDeployment(namespace) }];
        return valueOf(pods).flatMap((pod) => podFindings(pod, namespace));
      },
    },
    {
      description: "as many replicas as wanted are available",
      hint: "control-plane-pods",
      severity: "error",
      find: replicaFindings,
    },
    {
      description: "control plane and this meshctl are of one version",
      hint: "control-plane-version",
      severity: "warning",
      find: ({ controller, version }) =>
        valueOf(valueOf(controller).replicas).flatMap(({ pod, version: gathered }): Finding[] => {
          const running = valueOf(gathered);
          if (running === version) return [];
          return [{ message: `${pod} runs ${running}, this meshctl is ${version}`, remedy: UPGRADE }];
        }),
    },
  ],
};

function objectFindings({ kind, name, namespace, isThere }: InstalledObject): Finding[] {
  const place = `${kind} ${name}${namespace === undefined ? "" : ` in namespace ${namespace}`}`;
  // One that may not be looked at hides none of the others.
  if ("missing" in isThere)
    return [{ message: `${place} could not be checked: ${isThere.missing.message}`, remedy: isThere.missing.remedy, severity: "warning" }];
  return isThere.value ? [] : [{ message: `${place} is missing`, remedy: UPGRADE }];
}

function podFindings(pod: PodObject, namespace: string): Finding[] {
  const trouble = podTrouble(pod);
  if (trouble === undefined) return [];
  const { message, mayPass } = trouble;
  return [{ message: `pod ${pod.metadata.name}: ${message}`, mayPass, remedy: remedyOf(trouble, pod, namespace) }];
}

function remedyOf({ kind }: Trouble, { metadata }: PodObject, namespace: string): string {
  switch (kind) {
    case "image":
      return `meshctl install --set image=REGISTRY/meshctl:TAG | kubectl apply -f -`;
    case "crash":
      return `kubectl -n ${namespace} logs ${metadata.name} --previous`;
    case "unschedulable":
    case "config":
    case "starting":
      return `kubectl -n ${namespace} describe pod ${metadata.name}`;
  }
}

function describeDeployment(namespace: string): string {
  return `kubectl -n ${namespace} describe deployment ${CONTROLLER}`;
}

function replicaFindings({ controller, installation }: ClusterState): Finding[] {
  const { deployment } = valueOf(controller);
  const wanted = deployment?.spec?.replicas ?? 1;
  const available = deployment?.status?.availableReplicas ?? 0;
  // What keeps a Deployment from making pods at all: quota, Pod Security, an admission webhook.
  const refused = deployment?.status?.conditions?.find((each) => each.type === "ReplicaFailure" && each.status === "True");
  const remedy = describeDeployment(installation.namespace);
  if (refused !== undefined) return [{ message: `pods can't be created: ${refused.message ?? refused.reason ?? ""}`, remedy }];
  if (wanted === 0)
    return [
      {
        message: "the Deployment is scaled to 0: no sidecar gets configuration or a new certificate",
        remedy: `kubectl -n ${installation.namespace} scale deployment ${CONTROLLER} --replicas=1`,
      },
    ];
  if (available >= wanted) return [];
  const isStuck = deployment?.status?.conditions?.some((each) => each.type === "Progressing" && each.status === "False") === true;
  return [
    {
      message: `${available} of ${wanted} replicas are available`,
      remedy,
      mayPass: !isStuck,
      severity: available > 0 ? "warning" : "error",
    },
  ];
}
