// One look at the local mesh: what its run folder, its control plane and this machine say.
import { readFileSync } from "node:fs";
import { controllerAdmin, selectMesh } from "../../../cli/local-mesh.ts";
import type { CommandContext } from "../../../cli/command.ts";
import { allTables, installedBackends, readBackend } from "../../../capture/iptables-backend.ts";
import { isForbidden } from "../../../capture/diagnosis.ts";
import { hasOwn } from "../../../capture/rules/saved-rules.ts";
import { UserError } from "../../../common/user-error.ts";
import { VERSION } from "../../../common/version.ts";
import type { MeshInfo } from "../../../local/run-folder.ts";
import { INIT_CONTAINER } from "../../../manifests/injected-containers.ts";
import { Port } from "../../../xds/names.ts";
import { runChecks, type CategoryResult } from "../check-list.ts";
import type { SyncEntry } from "../cluster-state.ts";
import { NotGathered, type Gathered } from "../gathered.ts";
import { hasFailed, LOCAL_CATEGORIES } from "./local-checks.ts";
import { toMessage, type BackendFacts, type LocalState } from "./local-state.ts";

export async function lookAtLocal(context: CommandContext, namespace: string | undefined): Promise<CategoryResult[]> {
  const mesh = await gather(() => selectMesh(context), "meshctl local up --detach");
  const state: LocalState = {
    version: VERSION,
    namespace,
    mesh,
    proxies: "value" in mesh ? await readProxies(mesh.value) : mesh,
    captureLogs: "value" in mesh ? readCaptureLogs(mesh.value) : {},
    backends: await readBackends(context.env["PATH"]),
  };
  return runChecks(LOCAL_CATEGORIES, state);
}

/** A UserError of `read` is why there is nothing. */
async function gather<T>(read: () => T | Promise<T>, remedy: string): Promise<Gathered<T>> {
  try {
    return { value: await read() };
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { missing: new NotGathered(toMessage(error), remedy) };
  }
}

function readProxies(mesh: MeshInfo): Promise<Gathered<readonly SyncEntry[]>> {
  return gather(async () => {
    const admin = controllerAdmin(mesh, Port.monitoring);
    try {
      return (await admin.getJson("/debug/syncz")) as readonly SyncEntry[];
    } finally {
      await admin.close();
    }
  }, "meshctl local logs controller");
}

function readCaptureLogs({ pods }: MeshInfo): Record<string, string> {
  const failed = pods.flatMap(({ namespace, name, containers }) =>
    containers
      .filter((each) => each.name === INIT_CONTAINER && hasFailed(each))
      .map((each) => [`${namespace}/${name}`, lastLog(each)] as const),
  );
  return Object.fromEntries(failed);
}

/** Of the run before, where the one of now has said nothing yet. */
function lastLog({ logPath, previousLogPath }: { readonly logPath: string; readonly previousLogPath: string }): string {
  for (const path of [logPath, previousLogPath]) {
    try {
      const text = readFileSync(path, "utf8").trim();
      if (text !== "") return text;
    } catch {
      // Not every container has run twice.
    }
  }
  return "";
}

function readBackends(path: string | undefined): Promise<Gathered<readonly BackendFacts[]>> {
  return gather(async () => {
    const states = await Promise.all(installedBackends(path).map((each) => readBackend(each, path)));
    const refused = states.find(({ problems }) => Object.values(problems).some(isForbidden));
    if (refused !== undefined) throw new UserError("reading iptables rules needs root");
    return states.map((state) => ({
      kind: state.backend.kind,
      hasRules: allTables(state).some((table) => table.hasOthers || hasOwn(table)),
      problem: state.problems.ipv4,
    }));
  }, "sudo meshctl check --proxy --local");
}
