// Flags that commands share, and how their texts become values. Loaded by every --help: keep its imports small.
import { parseDurationMs } from "../common/duration.ts";
import { USAGE_EXIT_CODE, UserError } from "../common/user-error.ts";
import type { LogFormat, LogLevel } from "../common/log.ts";
import { MESH_NAMESPACE } from "../xds/names.ts";
import type { Flag } from "./command.ts";

/** `Flag.parse` for a TCP port, 1 to 65535. */
export function portFlag(name: string): (text: string) => number {
  return (text) => {
    const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
    if (port >= 1 && port <= 65535) return port;
    throw new UserError(`${name} wants a port from 1 to 65535, not ${JSON.stringify(text)}`, undefined, USAGE_EXIT_CODE);
  };
}

/** `Flag.parse` for a duration within limits; the value is milliseconds. */
export function durationFlag(name: string, minMs: number, maxMs: number, limits: string): (text: string) => number {
  return (text) => {
    const ms = parseDurationMs(text);
    if (ms !== undefined && ms >= minMs && ms <= maxMs) return ms;
    throw new UserError(`${name} wants a duration ${limits}, not ${JSON.stringify(text)}`, "such as 500ms, 10s or 1m", USAGE_EXIT_CODE);
  };
}

/** `Flag.parse` of a flag that may be given again: all its texts, in order. */
export function repeated(text: string, previous: unknown): readonly string[] {
  return [...((previous as readonly string[] | undefined) ?? []), text];
}

/** `Flag.parse` for one of a few words, in any letter case; the value is the word as listed. */
export function wordFlag(name: string, words: readonly string[]): (text: string) => string {
  return (text) => {
    const word = words.find((each) => each.toLowerCase() === text.toLowerCase());
    if (word !== undefined) return word;
    throw new UserError(`${name} wants one of ${words.join(", ")}, not ${JSON.stringify(text)}`, undefined, USAGE_EXIT_CODE);
  };
}

/** `--workload-cert-ttl`, in milliseconds; Istio's DEFAULT_WORKLOAD_CERT_TTL. Whole seconds, as certificates have them. */
export function workloadCertTtlFlag(): Flag {
  const flags = "--workload-cert-ttl <duration>";
  const parse = durationFlag("--workload-cert-ttl", 5000, 90 * 24 * 3_600_000, "from 5s to 2160h");
  return { flags, description: "longest life of a workload's certificate (default: what the sidecars ask for, 24h)", parse };
}

/** `-o`; `human` is the form for people: istioctl's `short`, or `table`. */
export function outputFlag(human: "short" | "table", fallback: string = human): Flag {
  return { flags: "-o, --output <format>", description: "output format", choices: [human, "json", "yaml"], default: fallback };
}

/** Which cluster, and as whom, as kubectl has them. */
export function clusterFlags(): Flag[] {
  return [
    { flags: "--context <context>", description: "context of the kubeconfig (default: its current one)" },
    { flags: "--kubeconfig <file>", description: "kubeconfig of the cluster (default: $KUBECONFIG, else ~/.kube/config)" },
    { flags: "--as <user>", description: "user to act as in the cluster" },
  ];
}

/**
 * Flags of every command that looks into a mesh: which one.
 * @param mesh `--mesh` alone names the local mesh where `--name` already means something else to istioctl's users.
 */
export function meshFlags(mesh: "--name" | "--mesh" = "--name"): Flag[] {
  return [...clusterFlags(), meshNamespaceFlag(), ...localFlags(mesh)];
}

/** As meshFlags, of commands that ask the sidecar of a workload. */
export function workloadFlags(mesh: "--name" | "--mesh" = "--name"): Flag[] {
  const description = "namespace of the workload (default: the context's; in a local mesh all are searched)";
  return [{ flags: "-n, --namespace <namespace>", description }, ...clusterFlags(), ...localFlags(mesh)];
}

/** Of commands for a workload of a local mesh alone. */
export function localWorkloadFlags(): Flag[] {
  return [{ flags: "-n, --namespace <namespace>", description: "namespace of the workload (default: all are searched)" }, ...localFlags()];
}

/** Of commands that ask the control plane in a cluster. */
export function meshNamespaceFlag(): Flag {
  const flags = "-i, --mesh-namespace <namespace>";
  return { flags, description: "namespace of the control plane in the cluster", default: MESH_NAMESPACE };
}

function localFlags(mesh: "--name" | "--mesh" = "--name"): Flag[] {
  return [
    { flags: "--local", description: "use the local mesh (the default when one runs and no kubeconfig has a current context)" },
    { flags: mesh === "--mesh" ? "--mesh <mesh>" : "--mesh, --name <mesh>", description: "name of the local mesh, where several run" },
  ];
}

/** `--proxy-admin-port`. */
export function adminPortFlag(): Flag {
  const flags = "--proxy-admin-port <port>";
  return { flags, description: "admin port of the sidecar", default: 15000, parse: portFlag("--proxy-admin-port") };
}

/** Flags of the processes that run long. The words stand here again because common/log.ts loads pino. */
export function logFlags(): Flag[] {
  const levels: LogLevel[] = ["trace", "debug", "info", "warn", "error", "fatal"];
  const formats: LogFormat[] = ["json", "text"];
  return [
    { flags: "--log-level <level>", description: "least level that is logged", default: "info", choices: levels },
    { flags: "--log-format <format>", description: "JSON lines or plain text, to stderr", default: "json", choices: formats },
  ];
}
