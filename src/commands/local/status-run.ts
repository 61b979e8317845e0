import type { CommandContext } from "../../cli/command.ts";
import { writeStructured } from "../../cli/output.ts";
import { formatTable } from "../../cli/table.ts";
import { listMeshes, readMesh, type ContainerInfo, type MeshInfo, type PodInfo } from "../../local/run-folder.ts";

export function run(context: CommandContext): Promise<void> {
  const name = context.options["name"];
  const running = listMeshes(context.env).filter((mesh) => mesh.phase !== "dead");
  const meshes =
    typeof name === "string" || running.length < 2 ? [readMesh(typeof name === "string" ? name : undefined, context.env)] : running;
  if (!writeStructured(context, meshes.length === 1 ? meshes[0] : meshes)) {
    context.stdout.write(meshes.map(describeMesh).join("\n"));
  }
  return Promise.resolve();
}

function describeMesh(mesh: MeshInfo): string {
  const pods = [...(mesh.controller === undefined ? [] : [mesh.controller]), ...mesh.pods];
  const rows = pods.map((pod) => [
    pod.namespace,
    pod.name,
    readyCount(pod),
    podStatus(pod),
    `${pod.restarts}`,
    age(pod.createdAt),
    pod.ips.join(","),
  ]);
  const lines = [
    `mesh ${mesh.name}: ${mesh.phase}${mesh.rootless ? " (rootless)" : ""}\n`,
    formatTable(["NAMESPACE", "NAME", "READY", "STATUS", "RESTARTS", "AGE", "IP"], rows, { padding: 3 }),
    ...mesh.published.map((each) => `http://localhost:${each.hostPort} is ${each.service}.${each.namespace}:${each.port}\n`),
    ...mesh.problems.map((problem) => `problem: ${problem}\n`),
    ...pods.filter((pod) => !pod.ready && pod.message !== undefined).map((pod) => `${pod.name}: ${pod.message ?? ""}\n`),
  ];
  return lines.join("");
}

/** As kubectl counts: init containers that have ended are no longer among them. */
function counted(pod: PodInfo): ContainerInfo[] {
  return pod.containers.filter((each) => each.kind !== "init");
}

export function readyCount(pod: PodInfo): string {
  return `${counted(pod).filter((each) => each.ready).length}/${counted(pod).length}`;
}

/** One word for people, as kubectl's STATUS column. */
export function podStatus(pod: PodInfo): string {
  if (pod.phase === "Terminating") return "Terminating";
  const init = pod.containers.find((each) => each.kind === "init" && !each.ready);
  if (init !== undefined) return `Init:${init.state}`;
  const troubled = pod.containers.find((each) => each.state !== "Running" && each.kind !== "init");
  if (troubled !== undefined) return troubled.state;
  if (pod.message !== undefined) return "Error";
  return pod.phase;
}

function age(createdAt: string): string {
  const seconds = Math.max(0, Math.round((Date.now() - Date.parse(createdAt)) / 1000));
  if (seconds < 120) return `${seconds}s`;
  if (seconds < 7200) return `${Math.floor(seconds / 60)}m`;
  return `${Math.floor(seconds / 3600)}h`;
}
