// Names for completion that a mesh, a kubeconfig or the run folders know. A person waits with a finger on Tab: what takes
// long, or fails, has no names.
import { listMeshes } from "../../local/run-folder.ts";
import type { CommandContext } from "../command.ts";
import { openMesh, type MeshAccess } from "../mesh-access.ts";
import { kindOf, type PodFacts } from "../workload.ts";
import type { Candidate, Completion } from "./complete.ts";

const WITHIN_MS = 1500;

/** @param word what has been typed of the name. */
export async function lookUp(context: CommandContext, { lookup, path, options }: Completion, word: string): Promise<readonly Candidate[]> {
  const asTyped = { ...context, options: path[0] === "local" ? { ...options, local: true } : options };
  try {
    switch (lookup) {
      case "mesh":
        return listMeshes(context.env).flatMap(({ name, phase }) => (phase === "dead" ? [] : [{ value: name, description: phase }]));
      case "context": {
        const { contextNames } = await import("../../kube/cluster-config.ts");
        return contextNames(options["kubeconfig"] as string | undefined, context.env).map((value) => ({ value, description: "" }));
      }
      case "namespace":
        return await fromMesh(asTyped, async (mesh) => (await mesh.namespaces()).map((value) => ({ value, description: "" })));
      case "workload":
        return await fromMesh(asTyped, async (mesh) => workloadNames(await mesh.pods(), word));
      default:
        return [];
    }
  } catch {
    return [];
  }
}

async function fromMesh(context: CommandContext, ask: (mesh: MeshAccess) => Promise<readonly Candidate[]>): Promise<readonly Candidate[]> {
  const mesh = await openMesh(context, context.options["mesh"] === undefined ? "name" : "mesh");
  const tooLate = Promise.withResolvers<never>();
  const timer = setTimeout(() => tooLate.reject(new Error("too late")), WITHIN_MS);
  try {
    return await Promise.race([ask(mesh), tooLate.promise]);
  } finally {
    clearTimeout(timer);
    mesh.close();
  }
}

/** Owners first, by whom people know their pods; after `deploy/` those of that kind alone. */
export function workloadNames(pods: readonly PodFacts[], word: string): Candidate[] {
  const slash = word.indexOf("/");
  const kind = slash < 0 ? undefined : kindOf(word.slice(0, slash));
  const isWanted = (each: string): boolean => slash < 0 || each === kind;
  const owners = pods.flatMap(({ owner, namespace }) => (owner.kind === "Pod" ? [] : [{ ...owner, namespace }]));
  const all = [...owners, ...pods.map(({ name, namespace }) => ({ kind: "Pod", name, namespace }))].filter((each) => isWanted(each.kind));
  const namespaces = Map.groupBy(all, (each) => each.name);
  const candidates = all.map(({ kind: description, name, namespace }) => {
    const isAmbiguous = namespaces.get(name)?.some((each) => each.namespace !== namespace) === true;
    return { value: `${word.slice(0, slash + 1)}${name}${isAmbiguous ? `.${namespace}` : ""}`, description };
  });
  return [...new Map(candidates.toReversed().map((each) => [each.value, each])).values()].toReversed();
}
