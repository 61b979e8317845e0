// The checks of `meshctl check --proxy --local`: the mesh on this machine, its sidecars, and the machine's iptables.
import { nameFlagOf } from "../../../cli/local-mesh.ts";
import type { ContainerInfo, PodInfo } from "../../../local/run-folder.ts";
import { INIT_CONTAINER, PROXY_CONTAINER } from "../../../manifests/injected-containers.ts";
import type { Category, Finding } from "../check-list.ts";
import { valueOf } from "../gathered.ts";
import { mainLine } from "../checks/capture.ts";
import { refusals, SIDECAR_CHECKS } from "../checks/sidecars.ts";
import type { LocalState } from "./local-state.ts";

const mesh: Category<LocalState> = {
  name: "local-mesh",
  checks: [
    {
      description: "the local mesh runs",
      hint: "local-mesh",
      severity: "error",
      isFatal: true,
      find: (state) => {
        if ("missing" in state.mesh) return [{ message: state.mesh.missing.message, remedy: state.mesh.missing.remedy }];
        const { name, phase } = state.mesh.value;
        if (phase === "ready" || phase === "degraded") return [];
        return [
          { message: `mesh ${name} is ${phase}`, remedy: `meshctl local up --detach${nameFlagOf(name)}`, mayPass: phase === "starting" },
        ];
      },
    },
    {
      description: "its files are understood",
      hint: "local-mesh",
      severity: "error",
      find: (state) => {
        const { name, problems } = valueOf(state.mesh);
        return problems.map((message) => ({ message, remedy: `meshctl local status${nameFlagOf(name)}    # after the edit` }));
      },
    },
    {
      description: "the control plane is ready",
      hint: "local-mesh",
      severity: "error",
      find: (state) => {
        const { name, controller } = valueOf(state.mesh);
        if (controller?.ready === true) return [];
        const message = `the control plane is not ready${controller?.message === undefined ? "" : `: ${controller.message}`}`;
        return [{ message, remedy: `meshctl local logs controller${nameFlagOf(name)}`, mayPass: true }];
      },
    },
    {
      description: "the mesh and this meshctl are of one version",
      hint: "sidecars-out-of-date",
      severity: "warning",
      find: (state) => {
        const { name, version, sources } = valueOf(state.mesh);
        if (version === state.version) return [];
        const files = sources.map((each) => ` -f ${each}`).join("");
        const remedy = `meshctl local down${nameFlagOf(name)} && meshctl local up --detach${nameFlagOf(name)}${files}`;
        return [{ message: `mesh ${name} was started by ${version}, this meshctl is ${state.version}`, remedy }];
      },
    },
  ],
};

const capture: Category<LocalState> = {
  name: "capture",
  checks: [
    {
      description: "traffic of meshed pods is captured",
      hint: "capture-failed",
      severity: "error",
      find: (state) =>
        meshedPods(state).flatMap((pod): Finding[] => {
          const init = pod.containers.find((each) => each.name === INIT_CONTAINER);
          if (init === undefined || !hasFailed(init)) return [];
          const said = mainLine(state.captureLogs[`${pod.namespace}/${pod.name}`] ?? "");
          const message = `${nameOf(pod)}: container ${init.name} ends${init.lastEnd === undefined ? "" : ` with ${init.lastEnd}`}${said === "" ? "" : `: ${said}`}`;
          return [{ message, remedy: logsCommand(state, pod, init.name) }];
        }),
    },
    {
      description: "this machine uses one backend of iptables",
      hint: "capture-failed",
      severity: "warning",
      find: (state) => {
        const backends = valueOf(state.backends);
        const broken = backends.filter((each) => each.problem !== undefined);
        const holders = backends.filter((each) => each.hasRules);
        const findings: Finding[] = broken.map(({ kind, problem }) => ({
          message: `iptables-${kind} does not work here: ${problem}`,
          remedy:
            kind === "legacy" ? "modprobe -a ip_tables iptable_nat ip6table_nat iptable_raw" : "modprobe -a nf_tables nft_compat nf_nat",
          // One that works is enough.
          severity: broken.length === backends.length ? "error" : "warning",
        }));
        if (holders.length > 1)
          findings.push({
            message:
              "rules stand both in iptables-nft and in iptables-legacy: a connection passes both, and only one of the programs shows each",
            remedy: "iptables-legacy-save; iptables-nft-save    # and move them into one of the two",
          });
        return findings;
      },
    },
  ],
};

const sidecars: Category<LocalState> = {
  name: "sidecars",
  checks: [
    {
      ...SIDECAR_CHECKS.namespace,
      find: ({ mesh, namespace }) => {
        const { name, pods, controller } = valueOf(mesh);
        if (namespace === undefined || [...pods, controller].some((each) => each?.namespace === namespace)) return [];
        return [{ message: `mesh ${name} has no pods in namespace ${namespace}`, remedy: `meshctl local status${nameFlagOf(name)}` }];
      },
    },
    { ...SIDECAR_CHECKS.ready, find: (state) => meshedPods(state).flatMap((pod) => readiness(state, pod)) },
    {
      ...SIDECAR_CHECKS.connected,
      find: (state) => {
        const known = new Set(valueOf(state.proxies).map((each) => each.proxy));
        return meshedPods(state).flatMap((pod): Finding[] => {
          if (known.has(proxyOf(pod)) || sidecarOf(pod)?.state !== "Running") return [];
          const message = `${nameOf(pod)} runs a sidecar that the control plane doesn't know`;
          return [{ message, remedy: logsCommand(state, pod, PROXY_CONTAINER), mayPass: true }];
        });
      },
    },
    {
      ...SIDECAR_CHECKS.content,
      find: (state) => {
        const meshed = new Set(meshedPods(state).map(proxyOf));
        const localFlag = nameFlagOf(valueOf(state.mesh).name) || " --local";
        return valueOf(state.proxies).flatMap((entry) => (meshed.has(entry.proxy) ? refusals(entry, localFlag) : []));
      },
    },
  ],
};

export const LOCAL_CATEGORIES: readonly Category<LocalState>[] = [mesh, capture, sidecars];

function meshedPods(state: LocalState): PodInfo[] {
  return valueOf(state.mesh).pods.filter(
    (pod) => pod.meshed && pod.phase !== "Succeeded" && (state.namespace === undefined || pod.namespace === state.namespace),
  );
}

/** It runs again and again, or has given up. */
export function hasFailed({ ready, lastEnd, state }: ContainerInfo): boolean {
  return !ready && (state === "Error" || state === "CrashLoopBackOff" || (lastEnd !== undefined && lastEnd !== "exit code 0"));
}

function sidecarOf(pod: PodInfo): ContainerInfo | undefined {
  return pod.containers.find((each) => each.kind === "sidecar");
}

function readiness(state: LocalState, pod: PodInfo): Finding[] {
  const sidecar = sidecarOf(pod);
  const init = pod.containers.find((each) => each.kind === "init" && hasFailed(each));
  if (sidecar?.ready === true || init !== undefined) return [];
  const why = sidecar?.message ?? sidecar?.lastEnd;
  return [
    {
      message: `${nameOf(pod)}: its sidecar is ${sidecar?.state ?? "not there"}, and not ready${why === undefined ? "" : `: ${why}`}`,
      remedy: logsCommand(state, pod, sidecar?.name ?? PROXY_CONTAINER),
      mayPass: sidecar?.state !== "CrashLoopBackOff",
    },
  ];
}

function nameOf({ name, namespace }: PodInfo): string {
  return `pod ${name}.${namespace}`;
}

/** As the control plane knows its sidecar. */
function proxyOf({ name, namespace }: PodInfo): string {
  return `${name}.${namespace}`;
}

function logsCommand({ mesh }: LocalState, pod: PodInfo, container: string): string {
  return `meshctl local logs ${proxyOf(pod)} -c ${container}${nameFlagOf(valueOf(mesh).name)}`;
}
