// Prints the installation. What goes to standard output is for kubectl; what a person should know goes to standard error.
import { readInput } from "../../cli/input-file.ts";
import type { CommandContext } from "../../cli/command.ts";
import { systemClock } from "../../common/clock.ts";
import { UserError } from "../../common/user-error.ts";
import type { ClusterConnection } from "../../kube/cluster-connection.ts";
import type { CustomResourceDefinition } from "../../manifests/crd/custom-resource-definition.ts";
import { controlPlaneObjects, installedCrds, toYaml } from "../../manifests/install/installation.ts";
import type { Profile, ValuesLayer } from "../../manifests/install/install-values.ts";
import { resolveValues } from "../../manifests/install/profiles.ts";
import type { ResolvedValues } from "../../manifests/install/profiles.ts";
import { readSetting, readValuesFile } from "../../manifests/install/read-values.ts";
import type { ReadValues } from "../../manifests/install/read-values.ts";

export async function run(context: CommandContext): Promise<void> {
  const { options, stdout } = context;
  const onlyCrds = options["crds"] === true;
  const skipCrds = options["skipCrds"] === true;
  if (onlyCrds && skipCrds) throw new UserError("--crds and --skip-crds together print nothing", "give one of them, or neither");
  const resolved = await readValues(options);
  const crds = skipCrds ? [] : await missingCrds(context, installedCrds(resolved));
  stdout.write(toYaml([...crds, ...(onlyCrds ? [] : controlPlaneObjects(resolved))]));
}

/** The CRDs without those that the cluster has from somebody else; what was left out, or not asked, goes to standard error. */
async function missingCrds(
  { options, env, stderr }: CommandContext,
  crds: readonly CustomResourceDefinition[],
): Promise<readonly CustomResourceDefinition[]> {
  const kubeconfig = options["kubeconfig"] as string | undefined;
  const kubeContext = options["context"] as string | undefined;
  if (options["offline"] === true) return crds;
  const printsAll = (why: string): readonly CustomResourceDefinition[] => {
    stderr.write(`no cluster was asked for CustomResourceDefinitions of another mesh, all are printed: ${why}\n`);
    return crds;
  };
  let connection: ClusterConnection;
  try {
    const { loadKubeconfig } = await import("../../kube/cluster-config.ts");
    connection = loadKubeconfig({ kubeconfig, context: kubeContext }, env);
  } catch (error) {
    // Who names a cluster means that one.
    if (!(error instanceof UserError) || kubeconfig !== undefined || kubeContext !== undefined) throw error;
    return printsAll(error.message);
  }
  try {
    const { crdsOfOthers } = await import("./crds-of-others.ts");
    const names = crds.map((each) => each.metadata.name ?? "");
    const foreign = await crdsOfOthers(connection, names, systemClock);
    if (foreign.length > 0) stderr.write(`left out, because the cluster has them from elsewhere: ${foreign.join(", ")}\n`);
    return crds.filter((_, index) => !foreign.includes(names[index] ?? ""));
  } catch (error) {
    return printsAll(`the API server at ${connection.server}: ${(error as Error).message}`);
  } finally {
    connection.close();
  }
}

/** @throws UserError with every problem of every file and every --set. */
async function readValues(options: CommandContext["options"]): Promise<ResolvedValues> {
  const texts = (name: string): readonly string[] => (options[name] as readonly string[] | undefined) ?? [];
  const files = texts("values");
  if (files.filter((each) => each === "-").length > 1) throw new UserError("-f - is given twice", "standard input can be read once");
  const read = [...(await Promise.all(files.map(readFile))), ...texts("set").map(readSetting)];
  const profile = options["profile"] as Profile | undefined;
  const layers: ValuesLayer[] = [...read.map(({ layer }) => layer), ...(profile === undefined ? [] : [{ profile }])];
  const resolved = resolveValues(layers);
  const problems = read.flatMap((each) => each.problems);
  // What valid values contradict each other in is told once they all are valid.
  refuse(problems.length > 0 ? problems : resolved.problems);
  return resolved;
}

async function readFile(path: string): Promise<ReadValues> {
  try {
    return readValuesFile(await readInput(path), path === "-" ? "standard input" : path);
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return { layer: {}, problems: [error.message] };
  }
}

function refuse(problems: readonly string[]): void {
  const [first, ...others] = problems;
  if (first === undefined) return;
  const text =
    others.length === 0 ? first : `${problems.length} problems with the values:\n${problems.map((each) => `  ${each}`).join("\n")}`;
  throw new UserError(text, "docs/install.md lists every value");
}
