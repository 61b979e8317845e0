// meshctl proxy-status: which sidecars the control plane knows, and whether they have what it sent them.
import type { Command } from "../../cli/command.ts";
import { adminPortFlag, meshNamespaceFlag, workloadFlags } from "../../cli/flags.ts";

export const proxyStatus: Command = {
  name: "proxy-status",
  aliases: ["ps"],
  summary: "Show which sidecars have their configuration, and which not",
  description:
    "Shows every sidecar that is connected to a replica of the control plane, and per type of configuration: SYNCED (it has " +
    "accepted what it was sent last), STALE (it has not, or has refused it: then the reason is told on standard error), NOT SENT " +
    "(there was nothing to send), IGNORED (it does not ask for this type). With a workload: what its sidecar runs with against " +
    "what the control plane would send it now, as a diff; exits with 1 where they differ.",
  arguments: [{ name: "[workload]", description: "[<kind>/]<name>[.<namespace>], such as deploy/checkout.shop" }],
  flags: [
    { flags: "-o, --output <format>", description: "output format", choices: ["table", "json", "yaml"], default: "table" },
    {
      flags: "-v, --verbosity <level>",
      description: "without a workload: 1 shows each type's state (the default), 0 only which types are asked for",
      choices: ["0", "1"],
    },
    adminPortFlag(),
    ...workloadFlags(),
    meshNamespaceFlag(),
  ],
  examples: [
    "meshctl proxy-status",
    "meshctl ps deploy/checkout.shop",
    "meshctl ps -o json | jq '.[] | select(.states.CDS != \"SYNCED\")'",
  ],
  load: () => import("./proxy-status-run.ts").then((module) => module.run),
};
