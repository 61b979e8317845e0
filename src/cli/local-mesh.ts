// From flags and the workload argument to a pod of a running local mesh and a client of its sidecar's admin.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "../common/user-error.ts";
import { parseYamlDocuments } from "../common/yaml.ts";
import { connectToPod, readMesh, runPaths, type MeshInfo, type PodInfo } from "../local/run-folder.ts";
import { AdminClient } from "./admin-client.ts";
import type { CommandContext } from "./command.ts";
import { parseWorkloadArgument, resolveWorkload, type ServiceFacts } from "./workload.ts";

export interface Target {
  readonly mesh: MeshInfo;
  readonly pod: PodInfo;
}

function option(context: CommandContext, name: string): string | undefined {
  const value = context.options[name];
  return typeof value === "string" ? value : undefined;
}

/**
 * The running mesh that the flags mean. A command that has `--mesh` uses `--name` for something else.
 * @throws UserError when none runs, or several and none is named.
 */
export function selectMesh(context: CommandContext, flag: "name" | "mesh" = "name"): MeshInfo {
  try {
    return readMesh(option(context, flag), context.env);
  } catch (error) {
    if (flag === "name" || !(error instanceof UserError)) throw error;
    throw new UserError(error.message, error.hint?.replace("choose one with --name", "choose one with --mesh"), error.exitCode);
  }
}

/** What a command that is told to somebody says of the mesh: nothing of the one that is meant without a name. */
export function nameFlagOf(mesh: string): string {
  return mesh === "default" ? "" : ` --name ${mesh}`;
}

/** The pod that the command's workload argument means; the controller counts as one. @throws UserError when there is none. */
export function selectPod(context: CommandContext, workload: string, meshFlag: "name" | "mesh" = "name"): Target {
  const argument = parseWorkloadArgument(workload, option(context, "namespace"));
  const mesh = selectMesh(context, meshFlag);
  const pods = mesh.controller === undefined ? mesh.pods : [...mesh.pods, mesh.controller];
  return { mesh, pod: resolveWorkload(argument, { pods, services: readServices(mesh) }) };
}

/** As selectPod. @throws UserError also when the pod has no sidecar. */
export function selectWorkload(context: CommandContext, workload: string, meshFlag: "name" | "mesh" = "name"): Target {
  const target = selectPod(context, workload, meshFlag);
  const { pod } = target;
  if (!pod.meshed)
    throw new UserError(
      `pod ${pod.name}.${pod.namespace} has no sidecar`,
      "only a workload whose injection is on has something to show here",
    );
  return target;
}

/** A client of the sidecar's admin; the caller closes it. */
export function sidecarAdmin({ mesh, pod }: Target, port: number): AdminClient {
  const sidecar = pod.containers.find((container) => container.kind === "sidecar");
  const state = sidecar === undefined || sidecar.state === "Running" ? "" : ` (its sidecar: ${sidecar.state})`;
  const flag = nameFlagOf(mesh.name);
  return new AdminClient({
    description: `the sidecar of ${pod.name}.${pod.namespace}`,
    hint: `see meshctl local status${flag}${state} and meshctl local logs ${pod.name}${flag} -c ${sidecar?.name ?? "meshctl-proxy"}`,
    connect: () => connectToPod(mesh, pod, port),
  });
}

/** A client of the control plane's monitoring port; the caller closes it. */
export function controllerAdmin(mesh: MeshInfo, port: number): AdminClient {
  const controller = mesh.controller;
  if (controller === undefined) throw new UserError(`the control plane of mesh ${mesh.name} is not running`, "see meshctl local status");
  return new AdminClient({
    description: `the control plane of mesh ${mesh.name}`,
    hint: "see meshctl local status",
    connect: () => connectToPod(mesh, controller, port),
  });
}

interface EndpointSlice {
  readonly kind?: string;
  readonly metadata?: { readonly namespace?: string; readonly labels?: Readonly<Record<string, string>> };
  readonly endpoints?: readonly { readonly targetRef?: { readonly kind?: string; readonly name?: string } }[] | null;
}

/** Services with the pods behind them, from the EndpointSlices that the local mesh keeps. */
function readServices(mesh: MeshInfo): ServiceFacts[] {
  const pods = new Map<string, { name: string; namespace: string; pods: string[] }>();
  for (const slice of readObjects(runPaths(mesh.folder).objects)) {
    const name = slice.metadata?.labels?.["kubernetes.io/service-name"];
    if (slice.kind !== "EndpointSlice" || name === undefined) continue;
    const namespace = slice.metadata?.namespace ?? "default";
    const key = `${namespace}/${name}`;
    const service = pods.get(key) ?? { name, namespace, pods: [] };
    for (const endpoint of slice.endpoints ?? []) if (endpoint.targetRef?.name !== undefined) service.pods.push(endpoint.targetRef.name);
    pods.set(key, service);
  }
  return [...pods.values()];
}

function readObjects(folder: string): EndpointSlice[] {
  let names: string[];
  try {
    names = readdirSync(folder);
  } catch {
    return [];
  }
  return names
    .filter((name) => /\.(ya?ml|json)$/.test(name))
    .flatMap((name) => {
      try {
        return parseYamlDocuments(readFileSync(join(folder, name), "utf8"), name).documents.map((each) => each.value as EndpointSlice);
      } catch {
        // The mesh replaces these files while it runs: one that has just gone has nothing to say.
        return [];
      }
    })
    .filter((value) => value !== null && typeof value === "object");
}
