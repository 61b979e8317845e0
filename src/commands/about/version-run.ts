// Versions of client, control plane and data plane, in istioctl's words and keys.
import type { CommandContext } from "../../cli/command.ts";
import { USAGE_EXIT_CODE, UserError, userErrorText } from "../../common/user-error.ts";
import { VERSION } from "../../common/version.ts";
import type { MeshVersions } from "./mesh-versions.ts";

const UNAVAILABLE = "unavailable";

export async function run(context: CommandContext): Promise<void> {
  const { options, stdout } = context;
  const client = { version: VERSION, node: process.versions.node, platform: `${process.platform}-${process.arch}` };
  const asksMesh = options["client"] !== true;
  const mesh = asksMesh ? await readMesh(context) : undefined;
  if (options["output"] !== undefined) {
    const { writeStructured } = await import("../../cli/output.ts");
    return void writeStructured(context, { clientVersion: client, ...(mesh === undefined ? {} : toJson(mesh)) });
  }
  const lines: string[] = [];
  if (options["short"] === true) {
    lines.push(client.version, ...distinct(mesh?.controllers ?? []), ...distinct(mesh?.proxies ?? []));
  } else {
    lines.push(`client version: ${client.version} (node ${client.node}, ${client.platform})`);
    if (asksMesh) {
      lines.push(`control plane version: ${mesh === undefined ? UNAVAILABLE : describe(mesh.controllers, "replica", "replicas")}`);
      lines.push(`data plane version: ${mesh === undefined ? UNAVAILABLE : describe(mesh.proxies, "proxy", "proxies")}`);
    }
  }
  stdout.write(lines.map((each) => `${each}\n`).join(""));
}

/** undefined where the mesh can't be asked: why stands on standard error. */
async function readMesh(context: CommandContext): Promise<MeshVersions | undefined> {
  // Loaded only here: --client is asked by scripts, many times.
  const { readMeshVersions } = await import("./mesh-versions.ts");
  const tell = (error: UserError): void => void context.stderr.write(userErrorText(error));
  try {
    return await readMeshVersions(context, tell);
  } catch (error) {
    if (!(error instanceof UserError) || error.exitCode === USAGE_EXIT_CODE) throw error;
    tell(error);
    return undefined;
  }
}

interface Versioned {
  readonly name: string;
  readonly version: string;
}

function distinct(all: readonly Versioned[]): string[] {
  return [...new Set(all.map((each) => each.version))].sort();
}

/** `1.1 (2 replicas), 1.0 (1 replica)`, the most frequent first. */
function describe(all: readonly Versioned[], one: string, many: string): string {
  const counts = [...Map.groupBy(all, (each) => each.version)].map(([version, { length }]) => ({ version, length }));
  const sorted = counts.sort((a, b) => b.length - a.length || (a.version < b.version ? 1 : -1));
  return sorted.map(({ version, length }) => `${version} (${length} ${length === 1 ? one : many})`).join(", ") || "none";
}

function toJson({ controllers, proxies }: MeshVersions): object {
  return {
    meshVersion: controllers.map(({ name, version }) => ({ Component: "controller", Pod: name, Info: { version } })),
    dataPlaneVersion: proxies.map(({ name, version }) => ({ ID: name, IstioVersion: version })),
  };
}
