// What the subcommands of meshctl proxy-config do: fetch or read a dump, select, print.
import { askSidecar } from "../../cli/ask-mesh.ts";
import type { CommandContext } from "../../cli/command.ts";
import { readInput } from "../../cli/input-file.ts";
import { terminalWidth, writeStructured } from "../../cli/output.ts";
import { USAGE_EXIT_CODE, UserError } from "../../common/user-error.ts";
import { bootstrapSummary } from "./proxy-config/bootstrap-summary.ts";
import { clusterTable, selectClusters } from "./proxy-config/cluster-table.ts";
import { parseConfigDump, type ConfigDump } from "./proxy-config/config-dump.ts";
import { endpointTable, selectEndpoints, statusesFromDump } from "./proxy-config/endpoint-table.ts";
import { field, type Json, type JsonObject } from "./proxy-config/envoy-json.ts";
import { listenerTable, selectListeners } from "./proxy-config/listener-table.ts";
import { routeTable, selectRoutes } from "./proxy-config/route-table.ts";
import { secretTable } from "./proxy-config/secret-table.ts";

type Text = string | undefined;
type Port = number | undefined;

/** The dump of the file that -f names, or of the workload's sidecar. */
async function readDump(context: CommandContext, path: string, meshFlag: "name" | "mesh" = "name"): Promise<ConfigDump> {
  const workload = context.args[0];
  const file = context.options["file"] as Text;
  if (file !== undefined) {
    if (workload !== undefined)
      throw new UserError(`both a workload (${workload}) and a file (${file}) are given`, "leave one of them out", USAGE_EXIT_CODE);
    return parseConfigDump(await readInput(file), file === "-" ? "standard input" : file);
  }
  if (workload === undefined)
    throw new UserError("no workload is given", "name one, such as deploy/checkout.shop, or give a dump with -f", USAGE_EXIT_CODE);
  return askSidecar(context, workload, async (admin) => parseConfigDump(await admin.get(path), `the sidecar of ${workload}`), meshFlag);
}

function print(context: CommandContext, value: Json, table: (width: number | undefined) => string): void {
  if (!writeStructured(context, value)) context.stdout.write(table(terminalWidth(context)));
}

/** An empty table could mean that the sidecar knows nothing: says on standard error that it was the filters. */
function printSelected(
  context: CommandContext,
  what: string,
  all: readonly Json[],
  selected: readonly Json[],
  table: (width: number | undefined) => string,
): void {
  print(context, selected, table);
  if (selected.length === 0 && all.length > 0)
    context.stderr.write(`Nothing matches the filters; without them: ${what} (${all.length}).\n`);
}

export async function runCluster(context: CommandContext): Promise<void> {
  const { fqdn, direction, subset, port } = context.options;
  const dump = await readDump(context, "/config_dump");
  const filter = { fqdn: fqdn as Text, direction: direction as Text, subset: subset as Text, port: port as Port };
  const clusters = selectClusters(dump.clusters(), filter);
  printSelected(context, "clusters", dump.clusters(), clusters, (width) => clusterTable(clusters, width));
}

export async function runListener(context: CommandContext): Promise<void> {
  const { address, port, type, verbose } = context.options;
  const dump = await readDump(context, "/config_dump");
  const listeners = selectListeners(dump.listeners(), { address: address as Text, port: port as Port, type: type as Text });
  printSelected(context, "listeners", dump.listeners(), listeners, (width) => listenerTable(listeners, verbose === true, width));
}

export async function runRoute(context: CommandContext): Promise<void> {
  const dump = await readDump(context, "/config_dump", "mesh");
  const routes = selectRoutes(dump.routes(), context.options["name"] as Text);
  printSelected(context, "route configurations", dump.routes(), routes, (width) =>
    routeTable(routes, context.options["verbose"] === true, width),
  );
}

export async function runEndpoint(context: CommandContext): Promise<void> {
  const { address, port, cluster, status } = context.options;
  const dump = await readDump(context, "/clusters?format=json");
  const statuses = dump.clusterStatuses() ?? statusesFromDump(requireEndpoints(dump));
  const filter = { address: address as Text, port: port as Port, cluster: cluster as Text, status: status as Text };
  const endpoints = selectEndpoints(statuses, filter);
  printSelected(context, "endpoints of clusters", statuses, endpoints, (width) => endpointTable(endpoints, width));
}

function requireEndpoints(dump: ConfigDump): ConfigDump {
  if (dump.hasEndpoints()) return dump;
  throw new UserError(
    "this config dump has no endpoints",
    "make it with /config_dump?include_eds, or give the answer of /clusters?format=json",
  );
}

export async function runSecret(context: CommandContext): Promise<void> {
  const secrets = withoutType((await readDump(context, "/config_dump")).section("SecretsConfigDump"));
  print(context, secrets, (width) => secretTable(secrets, Date.now(), width));
}

export async function runBootstrap(context: CommandContext): Promise<void> {
  const dump = (await readDump(context, "/config_dump")).section("BootstrapConfigDump");
  print(context, { bootstrap: field(dump, "bootstrap") }, () => bootstrapSummary(dump));
}

/** The section as the message that it is, without the Any around it: as istioctl prints it. */
function withoutType(section: Json): Json {
  const { "@type": _type, ...message } = section as JsonObject;
  return message;
}
