// Asks every replica of the control plane which sidecars it serves; or compares one sidecar with what it should have.
import { askMesh, askPod } from "../../cli/ask-mesh.ts";
import type { CommandContext } from "../../cli/command.ts";
import type { MeshAccess } from "../../cli/mesh-access.ts";
import { terminalWidth, writeStructured } from "../../cli/output.ts";
import { styleFor } from "../../cli/style.ts";
import { formatTable } from "../../cli/table.ts";
import { USAGE_EXIT_CODE, UserError, userErrorText } from "../../common/user-error.ts";
import { Port } from "../../xds/names.ts";
import { configDifference, type ConfigDifference, type SentResources } from "./status/config-difference.ts";
import { readSyncEntries, SYNC_TYPES, type ProxySync, type SyncEntries, type SyncState } from "./status/sync-entries.ts";

export async function run(context: CommandContext): Promise<number> {
  const [workload] = context.args;
  if (workload !== undefined && context.options["verbosity"] !== undefined)
    throw new UserError("--verbosity is for the table of all sidecars", "leave it out, or the workload", USAGE_EXIT_CODE);
  return askMesh(context, (mesh) => (workload === undefined ? printAll(context, mesh) : printOne(context, mesh, workload)));
}

async function printAll(context: CommandContext, mesh: MeshAccess): Promise<number> {
  const { proxies, failures } = await readSyncEntries(await mesh.controllers());
  tellFailures(context, failures);
  const { namespace } = context.options;
  const shown = proxies.filter((each) => namespace === undefined || each.name.endsWith(`.${namespace as string}`));
  if (!writeStructured(context, shown)) {
    context.stdout.write(context.options["verbosity"] === "0" ? typesTable(context, shown) : statesTable(context, shown));
    if (shown.length === 0)
      context.stderr.write(`No sidecar${namespace === undefined ? "" : ` of this namespace`} is connected to the control plane.\n`);
    for (const { name, refused } of shown) {
      for (const [type, reason] of Object.entries(refused)) context.stderr.write(`${name} refused its last ${type} update: ${reason}\n`);
    }
  }
  return failures.length > 0 ? 1 : 0;
}

/** What is told is told of the others only: not silently. */
function tellFailures(context: CommandContext, failures: SyncEntries["failures"]): void {
  for (const each of failures) context.stderr.write(userErrorText(each));
}

function statesTable(context: CommandContext, proxies: readonly ProxySync[]): string {
  const style = styleFor(context.stdout, context.env);
  const header = ["NAME", "CLUSTER", ...SYNC_TYPES, "ISTIOD", "VERSION"];
  const rows = proxies.map((each) => [each.name, each.cluster, ...SYNC_TYPES.map((type) => each.states[type]), each.istiod, each.version]);
  const paint = (padded: string): string => (padded.trimEnd() === ("STALE" satisfies SyncState) ? style.red(padded) : padded);
  return formatTable(header, rows, { paint, width: terminalWidth(context) ?? Infinity });
}

function typesTable(context: CommandContext, proxies: readonly ProxySync[]): string {
  const rows = proxies.map((each) => {
    const types = SYNC_TYPES.filter((type) => each.states[type] !== "IGNORED");
    return [each.name, each.cluster, each.istiod, each.version, `${types.length} (${types.join(",")})`];
  });
  return formatTable(["NAME", "CLUSTER", "ISTIOD", "VERSION", "SUBSCRIBED TYPES"], rows, { width: terminalWidth(context) ?? Infinity });
}

async function printOne(context: CommandContext, mesh: MeshAccess, workload: string): Promise<number> {
  const pod = await mesh.workload(workload);
  const name = `${pod.name}.${pod.namespace}`;
  const controllers = await mesh.controllers();
  const { proxies, failures } = await readSyncEntries(controllers);
  tellFailures(context, failures);
  const entry = proxies.find((each) => each.name === name);
  const controller = controllers.find((each) => each.name === entry?.istiod);
  if (controller === undefined) {
    const others = failures.length > 0 ? " that answers" : "";
    const hint = "its sidecar's log says why it isn't: it goes on with what it was sent last";
    throw new UserError(`${name} is not connected to any replica of the control plane${others}`, hint);
  }
  const [sent, dump] = await Promise.all([
    askPod(controller, Port.monitoring, (admin) => admin.getJson(`/debug/config_dump?proxyID=${encodeURIComponent(name)}`)),
    askPod(pod, context.options["proxyAdminPort"] as number, (admin) => admin.get("/config_dump")),
  ]);
  const difference = configDifference(sent as SentResources, dump, `the sidecar of ${name}`);
  const matches = difference.types.every(({ diff }) => diff === "");
  const value = {
    name,
    istiod: controller.name,
    matches,
    differences: Object.fromEntries(difference.types.map(({ type, diff }) => [type.toLowerCase(), diff])),
  };
  if (!writeStructured(context, value)) context.stdout.write(describeDifference(difference));
  return matches ? 0 : 1;
}

/** istioctl's words. */
function describeDifference({ types, routesLoadedAt }: ConfigDifference): string {
  return types
    .map(({ type, diff }) => {
      const loaded = type === "Routes" && routesLoadedAt !== undefined ? ` (RDS last loaded at ${routesLoadedAt})` : "";
      return diff === "" ? `${type} Match${loaded}\n` : `${type} Don't Match${loaded}\n${diff}`;
    })
    .join("");
}
