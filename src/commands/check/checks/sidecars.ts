// The sidecars: ready, connected to the control plane, content with what it told them, and of its version.
import { compareVersions } from "../../../common/version.ts";
import { INIT_CONTAINER, PROXY_CONTAINER } from "../../../manifests/injected-containers.ts";
import { INJECTED_ANNOTATION, parseRecord } from "../../../manifests/injection-record.ts";
import type { Category, CheckSubject, Finding } from "../check-list.ts";
import { NotGathered, valueOf } from "../gathered.ts";
import type { ClusterState, PodObject, SyncEntry } from "../cluster-state.ts";
import { meshedPods, restartCommand, statusOf } from "./meshed-pods.ts";
import { containerTrouble, lastWords, podName } from "./pod-reasons.ts";

/** What is asked of sidecars in a cluster and in a local mesh alike. */
export const SIDECAR_CHECKS = {
  namespace: { description: "the namespace exists", hint: "namespace", severity: "error", isFatal: true },
  ready: { description: "sidecars are ready", hint: "sidecars-not-ready", severity: "error" },
  connected: { description: "sidecars are connected to the control plane", hint: "sidecars-not-connected", severity: "error" },
  content: {
    description: "sidecars accept what the control plane tells them",
    hint: "sidecars-refuse-configuration",
    severity: "error",
  },
} as const satisfies Record<string, CheckSubject>;

export const sidecars: Category<ClusterState> = {
  name: "sidecars",
  checks: [
    {
      ...SIDECAR_CHECKS.namespace,
      find: ({ dataPlane, namespaces }) => {
        const name = dataPlane?.namespace;
        if (name === undefined || valueOf(namespaces).some((each) => each.metadata.name === name)) return [];
        return [{ message: `there is no namespace ${name}`, remedy: "kubectl get namespaces" }];
      },
    },
    { ...SIDECAR_CHECKS.ready, find: (state) => meshedPods(state).flatMap(readiness) },
    { ...SIDECAR_CHECKS.connected, find: connections },
    {
      ...SIDECAR_CHECKS.content,
      find: (state) => {
        const meshed = new Set(meshedPods(state).map(proxyOf));
        return [...entriesOf(state).entries.values()].flatMap((entry) => (meshed.has(entry.proxy) ? refusals(entry) : []));
      },
    },
    {
      description: "sidecars are of the control plane's version",
      hint: "sidecars-out-of-date",
      severity: "warning",
      find: outdated,
    },
  ],
};

/** Capture that failed is told by its own check. */
function readiness(pod: PodObject): Finding[] {
  const init = statusOf(pod, INIT_CONTAINER);
  const status = statusOf(pod, PROXY_CONTAINER);
  if (status?.ready === true || (init !== undefined && init.state?.terminated?.exitCode !== 0)) return [];
  const trouble = status === undefined ? undefined : containerTrouble(status);
  const { message, mayPass } = trouble ?? { message: `container ${PROXY_CONTAINER} has not started`, mayPass: true };
  const words = trouble?.kind === "starting" ? lastWords(status?.lastState?.terminated?.message) : "";
  const logs = `kubectl -n ${pod.metadata.namespace} logs ${pod.metadata.name} -c ${PROXY_CONTAINER}`;
  return [{ message: `${podName(pod)}: ${message}${words}`, mayPass, remedy: trouble?.kind === "crash" ? `${logs} --previous` : logs }];
}

function proxyOf({ metadata }: PodObject): string {
  return `${metadata.name}.${metadata.namespace}`;
}

/** What all replicas say together; a proxy is connected to one of them. */
function entriesOf({ controller }: ClusterState): { entries: ReadonlyMap<string, SyncEntry>; missing: NotGathered | undefined } {
  const replicas = valueOf(valueOf(controller).replicas);
  const entries = new Map<string, SyncEntry>();
  let missing: NotGathered | undefined;
  for (const { proxies } of replicas) {
    if ("missing" in proxies) missing ??= proxies.missing;
    else for (const each of proxies.value) entries.set(each.proxy, each);
  }
  if (replicas.length === 0) missing = new NotGathered("no replica of the control plane runs", "meshctl check");
  return { entries, missing };
}

function connections(state: ClusterState): Finding[] {
  const { entries, missing } = entriesOf(state);
  const lacking = meshedPods(state).filter(
    (pod) => statusOf(pod, PROXY_CONTAINER)?.state?.running !== undefined && !entries.has(proxyOf(pod)),
  );
  // The one that couldn't be asked may know them.
  if (lacking.length > 0 && missing !== undefined) throw missing;
  return lacking.map((pod) => ({
    message: `${podName(pod)} runs a sidecar that no replica of the control plane knows`,
    remedy: `kubectl -n ${pod.metadata.namespace} logs ${pod.metadata.name} -c ${PROXY_CONTAINER}`,
    mayPass: true,
  }));
}

/** @param flags of the command that shows more. */
export function refusals(entry: SyncEntry, flags = ""): Finding[] {
  const refused = Object.entries(entry).filter(([key, value]) => key.endsWith("_refused") && typeof value === "string");
  return refused.map(([key, value]) => ({
    message: `${entry.proxy} refused its ${key.slice(0, -"_refused".length)}s: ${String(value).split("\n")[0]}`,
    remedy: `meshctl proxy-status ${entry.proxy}${flags}`,
  }));
}

/** Compared with the newest replica, else with this command line. */
function outdated(state: ClusterState): Finding[] {
  const versions = valueOf(valueOf(state.controller).replicas).flatMap(({ version }) => ("value" in version ? [version.value] : []));
  const wanted = versions.sort((a, b) => compareVersions(b, a) ?? 0)[0] ?? state.version;
  return meshedPods(state).flatMap((pod): Finding[] => {
    const record = parseRecord(pod.metadata.annotations?.[INJECTED_ANNOTATION]);
    if (record?.version === wanted) return [];
    const message =
      record === undefined
        ? `${podName(pod)} has a sidecar, but no readable annotation ${INJECTED_ANNOTATION}: who made it can't be told`
        : `${podName(pod)}'s sidecar was injected by ${record.version}, the control plane is ${wanted}`;
    return [{ message, remedy: restartCommand(pod) }];
  });
}
